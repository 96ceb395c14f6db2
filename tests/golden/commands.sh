#!/bin/bash
# tegc test, build and disasm at the prompt: what they say, and their exit codes.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/prompt.bash || exit 1

policy() { # NAME: standard input behind a policy that all of these tests share
	{
		cat <<'TEG'
policy edge "An edge" {
    version "1.0.0"
}

zone wan = "eth0"
zone lan = ["eth1", "br-*"]

net office = [203.0.113.0/24, 2001:db8:10::/48]

lifeline {
    ssh: tcp from office to self port 22
}

posture OPEN {
    default drop
    web_in: allow tcp to self port [80, 443]
    dns_in: allow udp to self port 53 on lan
}

posture SHUT {
    default drop
    established cut
}

initial posture OPEN

reflex flood {
    match tcp flags syn/syn+ack on wan
    when  rate per source > 10 per 100ms
    do    drop source for 60s
}

TEG
		cat
	} >"$dir/$1"
}

policy good.teg <<'TEG'
test "web is open" {
    posture OPEN
    tcp 198.51.100.21:40000 -> self:443 syn on wan          => allow by web_in
    11 * (tcp 198.51.100.20:40000 -> self:443 syn on wan) in 100ms => last drop by flood
    tcp 198.51.100.20:40000 -> self:443 syn on wan          => drop by blocked
}
test "lockdown keeps the owner" {
    posture SHUT
    tcp 203.0.113.9:50000 -> self:22 syn on wan             => allow by lifeline
    tcp [2001:db8:10::9]:50000 -> self:22 syn on wan        => allow by lifeline
    tcp 198.51.100.20:40000 -> self:443 syn on wan          => drop by default
}
TEG
exits 0 "tests that hold are 0" "$tegc" test good.teg
says "good.teg: 2 passed, 0 failed" "and are counted"
exits 0 "--filter takes some of them" "$tegc" test --filter lockdown good.teg
says "good.teg: 1 passed, 0 failed" "by a part of their name"
exits 4 "a filter that finds none is 4" "$tegc" test --filter nothing good.teg

policy failing.teg <<'TEG'
test "telnet" {
    posture OPEN
    tcp 198.51.100.20:40000 -> self:23 syn on wan => allow
}
test "who" {
    posture OPEN
    tcp 198.51.100.20:40000 -> self:80 syn on wan => allow by dns_in
}
TEG
exits 2 "a test that fails is 2" "$tegc" test failing.teg
says 'test "telnet": expected allow, got drop by `default`' "and says what it expected and got"
says 'test "who": expected allow by `dns_in`, got it by `web_in`' "and who decided"
says "failing.teg: 0 passed, 2 failed" "and counts"
exits 2 "--plain is one line for each" "$tegc" test --plain failing.teg
says 'failing.teg:35:5: E0809 test "telnet"' "with file, line and column"

policy open.teg <<'TEG'
test "no port" {
    posture OPEN
    tcp 198.51.100.20:40000 -> self syn on wan => drop
}
test "no zone" {
    posture OPEN
    udp 198.51.100.20 -> self:53 => allow
}
TEG
exits 2 "a packet that leaves out what matters is 2" "$tegc" test open.teg
says 'the packet has no destination port, and `web_in` may decide by it' "and names field and rule"
says 'the packet has no zone, and `dns_in` may decide by it' "a zone too"

policy empty.teg </dev/null
exits 4 "a file without tests is 4" "$tegc" test empty.teg
exits 0 "unless it may be empty" "$tegc" test --allow-empty empty.teg
exits 2 "of several files the worst counts" "$tegc" test good.teg empty.teg failing.teg
echo 'posture {' >"$dir/wrong.teg"
exits 1 "a wrong policy is 1" "$tegc" test good.teg wrong.teg failing.teg
exits 66 "a missing file is 66" "$tegc" test missing.teg
exits 64 "no file is 64" "$tegc" test
exits 64 "an unknown option is 64" "$tegc" test --nonsense good.teg

# --- build --------------------------------------------------------------------------

exits 0 "build" "$tegc" build good.teg -o one.tegb
[ -z "$out$err" ]
claim $? "says nothing when nothing is to be said" <<<"$out$err"
exits 0 "build again" "$tegc" build good.teg --out two.tegb
cmp -s "$dir/one.tegb" "$dir/two.tegb"
ok "same input, same bytes"
! grep -aqF "$PWD/" "$dir/one.tegb"
ok "no directory is in it that its programs were built in"
[ "$(tar tf "$dir/one.tegb" | tr '\n' ' ')" = "manifest plan policy/resolved.teg xdp/policy.o tc/policy.o nft/posture.batch nft/epiderme.batch nft/ruleset.nft drill " ]
claim $? "tar lists it" <<<"$(tar tf "$dir/one.tegb" 2>&1)"
mkdir "$dir/x" && tar xf "$dir/one.tegb" -C "$dir/x"
(cd "$dir/x" && tail -n +2 manifest | while read -r sum size name; do
	echo "$sum  $name"
	[ "$(stat -c %s "$name")" = "$size" ] || echo "size of $name"
done | sha256sum -c --quiet)
ok "and the manifest is true"
exits 0 "the resolved policy builds" "$tegc" build x/policy/resolved.teg -o three.tegb
cmp -s "$dir/one.tegb" "$dir/three.tegb"
ok "into the same bundle"

exits 1 "a wrong policy builds nothing" "$tegc" build wrong.teg -o none.tegb
! compgen -G "$dir/none.tegb*" >/dev/null
ok "and writes nothing"
cp "$dir/one.tegb" "$dir/old.tegb"
exits 1 "nor over a bundle that is there" "$tegc" build wrong.teg -o old.tegb
cmp -s "$dir/one.tegb" "$dir/old.tegb"
ok "which stays as it was"
exits 64 "build wants -o" "$tegc" build good.teg
exits 64 "and one file" "$tegc" build good.teg empty.teg -o x.tegb
exits 64 "that is not overwritten" "$tegc" build good.teg -o ./good.teg
exits 64 "nor another policy" "$tegc" build good.teg -o empty.teg
says "empty.teg is a policy, which a bundle would replace" "and that is said"
exits 74 "a directory that is not there is 74" "$tegc" build good.teg -o no/where.tegb

# --- help -------------------------------------------------------------------------------

exits 0 "help on a command" "$tegc" help build
says "--sign KEY " "lists its options"
same "$out" "$("$tegc" build good.teg --no-proofs --help)" "as --help does, wherever it stands"
exits 64 "a command that is misspelt" "$tegc" biuld
says 'there is no command `biuld`; did you mean `build`?' "is offered in its one spelling"
exits 64 "a word that is like none" "$tegc" frobnicate
says '`tegc help` lists them' "is told where to look"
exits 64 "an option that is misspelt" "$tegc" build --serail 3
says "tegc build: unrecognized option '--serail'" "is named"
says '`tegc help build`' "with the way to the others"

# --- where it is written --------------------------------------------------------------

wrap() { # a command under another standard output
	local to=$1
	shift
	"$@" >"$to"
}
for words in "help" "help exit-codes" "--version" "check wrong.teg" "test good.teg" "fmt -" "disasm one.tegb" "explain E0101" \
	"explain --list" "diff good.teg x/policy/resolved.teg" "keygen new"; do
	exits 74 "what cannot be written is no answer: tegc $words" wrap /dev/full "$tegc" $words <"$dir/good.teg"
	[[ $err == *"tegc: cannot write to standard output: No space left on device" ]]
	claim $? "and it says so" <<<"$err"
done

mkdir "$dir/real" && cp "$dir/one.tegb" "$dir/real/old.tegb" && ln -s real/old.tegb "$dir/link.tegb" && chmod 600 "$dir/real/old.tegb"
echo mine >"$dir/link.tegb.new"
exits 0 "a bundle in the place of another" "$tegc" build x/policy/resolved.teg --no-proofs -o link.tegb
[ -L "$dir/link.tegb" ] && ! cmp -s "$dir/real/old.tegb" "$dir/one.tegb"
ok "a link is followed"
same 600 "$(stat -c %a "$dir/real/old.tegb")" "the mode stays"
same mine "$(cat "$dir/link.tegb.new")" "and so does what is called nearly so"
same old.tegb "$(ls "$dir/real")" "nothing is left beside it"
exits 74 "a directory is none" "$tegc" build good.teg -o real
says "cannot write real: it is a directory" "and that is said"
exits 74 "nor is no name" "$tegc" build good.teg -o ""
says "a file without a name" "and that is said"
same "$(sha256sum <"$dir/one.tegb")" "$(cd "$dir" && "$tegc" build good.teg -o - | sha256sum)" "a bundle goes to standard output when asked"
[ ! -e "$dir/-" ]
claim $? "and not to a file of that name" < <(ls "$dir")
mkfifo "$dir/pipe"
timeout 20 cat "$dir/pipe" >"$dir/piped.tegb" &
exits 0 "a pipe is written to" timeout 20 "$tegc" build good.teg -o pipe
wait $!
cmp -s "$dir/one.tegb" "$dir/piped.tegb" && [ -p "$dir/pipe" ]
ok "and stays one"
if mknod "$dir/full" c 1 7 2>/dev/null; then
	for words in "build good.teg -o full" "build good.teg -o built.tegb --report json=full" "import --stateful iptables-save rules -o full"; do
		printf '*filter\n:INPUT DROP [0:0]\nCOMMIT\n' >"$dir/rules"
		exits 74 "a device is not replaced: tegc $words" "$tegc" $words
		says "full: cannot write: No space left on device" "and what it refuses is said"
		[ -c "$dir/full" ]
		ok "and it is there still"
	done
else
	skip "a device is not replaced" "no device can be made here"
fi

# --- disasm -------------------------------------------------------------------------

# Names as long as they may be, some of which stand in one name of the kernel.
name() { printf "$1%.0s" $(seq "${2:-100}"); }
long() { # BYTES of a posture's name
	printf 'zone w = "eth0"\nnet %s = 192.0.2.0/24\nblock %s on w\nreflex %s {\n    match udp\n    when  rate per source > 3 per 1s\n    do    drop, emit low\n}\n' \
		"$(name n)" "$(name n)" "$(name r)"
	printf 'posture %s {\n    default drop\n    %s: allow tcp limit 5/s per source emit low\n}\n' "$(name p "$1")" "$(name l)"
	printf 'posture _ {\n    default drop\n}\ninitial posture _\n'
}
long 100 >"$dir/long.teg"
exits 0 "names of a hundred bytes are built" "$tegc" build long.teg -o long.tegb
exits 0 "and read back" "$tegc" disasm long.tegb
says "chain a_epiderme_$(name p)" "as they were written"
long 101 >"$dir/longer.teg"
exits 1 "one byte more is a mistake of the policy" "$tegc" build longer.teg -o longer.tegb
says "longer.teg:9:9" "which is shown"
for posture in pre hook; do
	printf 'posture %s {\n    default drop\n}\n' $posture >"$dir/taken.teg"
	exits 1 "a posture that is called as chains are, too: $posture" "$tegc" build taken.teg -o taken.tegb
done
awk 'BEGIN {
	print "zone w = \"eth0\"\nposture P {\n    default drop\n}"
	for (i = 0; i < 513; i++)
		print "reflex r" i " {\n    match tcp port " i + 1 " on w\n    when  rate per source > 3 per 1s\n    do    drop\n}"
}' >"$dir/many.teg"
exits 1 "more than the first hook has room for is a mistake of the policy" "$tegc" build --no-proofs many.teg -o many.tegb --report json=many.json
says "error[E0742]: reflex.r512: " "which says what"
says "many.teg:2565:8" "and where"
same 2565 "$(jq '.diagnostics[] | select(.code == "E0742").place.line' "$dir/many.json")" "to programs, too"
printf 'test "a packet" {\n    posture P\n    tcp 192.0.2.1 -> 192.0.2.2:700 on w => drop\n}\n' >>"$dir/many.teg"
exits 1 "the same without drawings" "$tegc" build --plain --no-proofs many.teg -o many.tegb
says "many.teg:2565:8: E0742 reflex.r512: " "is one line"
exits 1 "a program that cannot be made is asked nothing" "$tegc" test --plain --engine xdp many.teg
says "many.teg:2565:8: E0742 reflex.r512: " "and where it cannot is said"
awk 'BEGIN { print "posture P {\n    default drop"; for (i = 0; i < 262144; i++) print "    r" i ": drop tcp to self port 1"; print "}" }' >"$dir/ids.teg"
exits 1 "more rules than there are counters is one, too" "$tegc" build --plain --no-proofs ids.teg -o ids.tegb
says "ids.teg:262142:5: E0742 P.r262139: the rules of all postures have 262152 ids; there may be at most 262144" "with the first for which there is none"
exits 0 "disasm" "$tegc" disasm one.tegb
says "bundle $(sha256sum <"$dir/x/manifest" | cut -d' ' -f1)" "names the bundle by its manifest"
says "pass lifeline.ssh" "lists the first hook's rules"
says "table inet tegumentar {" "and the nft ruleset"
policy idle.teg <<'TEG'
posture IDLE {
    default drop
    wide:   allow tcp from office to self port 80..90
    narrow: allow tcp from office to self port 85
}
reflex all  { match udp to self port 53 do drop }
reflex some { match udp from 198.51.100.0/24 to self port 53 do drop }
reflex slow { match udp from 198.51.100.0/24 to self port 53 when rate per source > 5/s do drop }
TEG
exits 0 "rules that never decide are no mistake" "$tegc" build idle.teg -o idle.tegb
exits 0 "and their bundle can be read" "$tegc" disasm idle.tegb
says "drop reflex.some, which never decides" "nothing is asked for one in the first hook"
says_nothing_of 'counter name "IDLE.narrow"' "nor in layer 4"
says 'counter IDLE.narrow {' "where its counter stays"
same 1 "$(grep -c "which never decides" <<<"$out")" "a rate is kept: it takes tokens of what others may share"
head -c 4000 "$dir/one.tegb" >"$dir/cut.tegb"
exits 1 "a cut bundle is 1" "$tegc" disasm cut.tegb
says "truncated in" "and says where"
exits 1 "a foreign file is 1" "$tegc" disasm good.teg
says "not a bundle" "and says that it is none"
exits 0 "a bundle explains a packet as its policy does" "$tegc" explain one.tegb --packet 'tcp 198.51.100.20:40000 -> self:443 syn on wan'
says "web_in" "by the rule's name"
exits 66 "a missing one is 66" "$tegc" disasm missing.tegb
exits 64 "no bundle is 64" "$tegc" disasm

echo "1..$n"
