#!/bin/bash
# What the compiler says of feeds: to the prover each is an open condition, to tests nothing is on any, and a diff tells what changes.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1

tegc() { (cd "$dir" && NO_COLOR=1 "$tegc" "$@"); }
# says CODE CLAIM PART -- COMMAND...: the exit code, and the part in what it says
says() {
	local want=$1 claim=$2 part=$3 code
	shift 4
	"$@" >"$dir/out" 2>&1
	code=$?
	[ "$code" = "$want" ] && { [ -z "$part" ] || grep -qF -- "$part" "$dir/out"; }
	claim $? "$claim" < <(echo "exit $code, expected $want; to be said: $part"; cat "$dir/out")
}

cat >"$dir/fed.teg" <<'TEG'
policy edge "A host" { version "1" }
zone wan = "eth0"
net friends = [198.51.100.0/24]
lifeline {
    ssh: tcp from 203.0.113.9 to self port 22
}
feed bad {
    url     "https://feeds.example/bad.txt"
    format  netset
    refresh 15m
    max     1k
    stale   after 6h keep
    action  block
}
posture OPEN {
    default drop
    web: allow tcp to self port 443
}
initial posture OPEN
invariant friends_reach_us { in OPEN: tcp from friends to self port 443 is allowed }
invariant owner_reaches_us { in OPEN: tcp from 203.0.113.9 to self port 22 is allowed }
invariant no_telnet { in OPEN: tcp to self port 23 is dropped }
test "nothing is on a feed" {
    posture OPEN
    tcp 198.51.100.20 -> self:443 syn on wan => allow by web
}
TEG
sed '/^feed/,/^}/d' "$dir/fed.teg" >"$dir/bare.teg"
sed 's/keep/clear/' "$dir/fed.teg" >"$dir/clears.teg"
sed 's/1k/2k/' "$dir/fed.teg" >"$dir/more.teg"

says 0 "a claim that a feed may break holds under an assumption" "only if the source is on feed.bad" -- tegc check fed.teg
says 0 "a test finds nothing on it" "1 passed" -- tegc test fed.teg
says 0 "a bundle of it is proved to be the policy, tables and nft" "" -- tegc build fed.teg -o fed.tegb
says 0 "and lists it" "drop feed.bad, of at most 1000 entries" -- tegc disasm fed.tegb
says 0 "nft asks a set that is filled at run time" "@feed.bad.6" -- tegc disasm fed.tegb
says 3 "without it more may come in" "OPENED high     OPEN in   tcp from any to self port 443 on wan" -- tegc diff fed.teg bare.teg
says 2 "with it, less" "CLOSED low      OPEN in   tcp from any to self port 443 on wan" -- tegc diff bare.teg fed.teg
says 2 "cleared when it is stale, and not kept: told" "stale after 21600s: keep -> netset, https://feeds.example/bad.txt, at most 1000, stale after 21600s: clear" -- tegc diff fed.teg clears.teg
says 2 "and so is another limit" "at most 2000" -- tegc diff fed.teg more.teg
says 0 "the same is no change" "nothing changes" -- tegc diff fed.teg fed.teg
echo "1..$n"
