#!/bin/bash
# tegc check --fix: every fix leads to a policy without its diagnostic, and changes nothing else.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
cd "$dir" || exit 1

policy() { # rules on stdin
	{ printf 'zone wan = "eth0"\nnet office = 192.0.2.0/24\nposture OPEN {\n    default drop\n'; cat; echo '}'; } >p.teg
	cp p.teg was.teg
}
# exit code, code that is mended, the lines that go and come (as diff tells them), words; the rules on stdin
mends() {
	local want=$1 code=$2 edit=$3 words=$4 got
	policy
	"$tegc" check p.teg --report json=before.json --report sarif=before.sarif >/dev/null 2>&1
	jq -e --arg code "$code" '[.diagnostics[] | select(.code == $code and has("fix"))] | length > 0' before.json >out 2>&1
	ok "$words: $code has a fix" before.json
	jq -e --arg code "$code" '[.runs[0].results[] | select(.ruleId == $code and has("fixes"))] | length > 0' before.sarif >out 2>&1
	ok "$words: in sarif too" before.sarif
	"$tegc" check --fix p.teg --report json=after.json >out 2>&1
	got=$?
	diff was.teg p.teg | grep '^[<>]' >changed
	[ $got = "$want" ] && [ "$(sed 's/^\([<>]\)  */\1 /' changed)" = "$edit" ] || { echo "exit $got, not $want; changed:"; cat changed; } >>out
	[ $got = "$want" ] && [ "$(sed 's/^\([<>]\)  */\1 /' changed)" = "$edit" ]
	ok "$words: is made, and nothing else" out
	jq -e --arg code "$code" '([.diagnostics[].code] | index($code) == null) and .summary.fixed > 0' after.json >/dev/null
	ok "$words: no $code is left" after.json
}

mends 0 E0201 '< web: allow tcp from ofice to self port 80
> web: allow tcp from office to self port 80' 'a name that is near' <<'TEG'
    web: allow tcp from ofice to self port 80
TEG
mends 0 E0601 '< web: allow tpc from office to self port 80
> web: allow tcp from office to self port 80' 'a protocol that is near' <<'TEG'
    web: allow tpc from office to self port 80
TEG
mends 0 E0101 '< web: alow tcp from office to self port 80
> web: allow tcp from office to self port 80' 'a word that is near' <<'TEG'
    web: alow tcp from office to self port 80
TEG
mends 0 E0603 '< ping: allow icmp ecko to self
> ping: allow icmp echo to self' 'an ICMP message that is near' <<'TEG'
    ping: allow icmp ecko to self
TEG
mends 0 E0604 '< scan: drop tcp flags syn+finn to self
> scan: drop tcp flags syn+fin to self' 'a flag that is near' <<'TEG'
    scan: drop tcp flags syn+finn to self
    rest: allow tcp from office
TEG
mends 0 E0503 '< web: allow tcp from 192.0.2.77/24 to self port 80
> web: allow tcp from 192.0.2.0/24 to self port 80' 'bits beyond the length' <<'TEG'
    web: allow tcp from 192.0.2.77/24 to self port 80
TEG
mends 0 E0503 '< web: allow tcp from 2001:db8::1/32 to self port 80
> web: allow tcp from 2001:db8::/32 to self port 80' 'of IPv6' <<'TEG'
    web: allow tcp from 2001:db8::1/32 to self port 80
TEG
mends 0 E0510 '< web: allow tcp from office to self port [80 - 90, 443]
> web: allow tcp from office to self port [80..90, 443]' 'a range with a minus' <<'TEG'
    web: allow tcp from office to self port [80 - 90, 443]
TEG
mends 0 E0606 '< web: allow tcp from office to self from office
> web: allow tcp from office to self' 'the same clause twice' <<'TEG'
    web: allow tcp from office to self from office
TEG
mends 0 E0313 '< more: allow tcp from office to self port 80 # too' 'a rule that changes nothing' <<'TEG'
    web: allow tcp to self port [80, 443]
    # kept
    more: allow tcp from office to self port 80 # too
TEG
mends 0 E0312 '> late: drop tcp from office to self port 443
< late: drop tcp from office to self port 443' 'a rule that stands too late' <<'TEG'
    web: allow tcp to self port [80, 443]
    dns: allow udp to self port 53
    late: drop tcp from office to self port 443
TEG
grep -A1 'late:' p.teg | tail -1 | grep -q 'web:'
ok 'it stands before the one that hid it' p.teg

# --- one edit, in a policy of every construct --------------------------------------------------

cat >whole.teg <<'TEG'
policy whole {
    owner "netsec"
}
import "std/services.teg"
param sites: net = 192.0.2.0/24
param slow: percentage = 20%
zone wan = "eth0"
net office = sites
net lab = 198.51.100.0/24
limit calm = 50/s per source burst 100
posture OPEN {
    default drop
    established cut
    web: allow tcp from office to self port [ssh, 443] limit calm
    allow udp from office - lab to self port 53
}
posture TIGHT extends OPEN {
    without web
}
initial posture OPEN
feed list {
    url "https://example.org/drop.txt"
    format netset
    refresh 15m
    max 200k
    stale after 6h keep
    action block
}
reflex flood {
    match tcp flags syn/syn+ack on wan
    when rate per source > 1000 per 100ms
    do drop, emit high
}
derme {
    beacon: when session.interval_jitter < 2% do drop, emit medium
}
playbook heal(src: address) {
    budget blocks 500 per 1h, runtime 10m
    block src for 1h
    notify audit { event: "x" }
}
on reflex.flood run heal(event.source)
homeostasis {
    when qualia.pain > 60% for 30s posture TIGHT until qualia.pain < 0.2 for 5m
    when host.cpu > 85% for 10s throttle priority low to slow
}
invariant office_only {
    in every posture: tcp from lab to self port 22 is dropped
}
test "web" {
    posture OPEN
    tcp 192.0.2.7 -> self:443 syn on wan => allow by web
}
TEG
"$tegc" check whole.teg >out 2>&1
ok 'the policy that is made wrong in one place is right' out

# code, a right text of it, the wrong one in its place: --fix brings the right one back, and then has nothing to do
turns() {
	python3 - "$2" "$3" <<'PY'
import sys
text = open("whole.teg", encoding="utf-8").read()
assert sys.argv[1] in text, sys.argv[1]
open("p.teg", "w", encoding="utf-8").write(text.replace(sys.argv[1], sys.argv[2], 1))
PY
	"$tegc" check p.teg --report json=before.json >out 2>&1
	jq -e --arg code "$1" '[.diagnostics[] | select(.code == $code and has("fix"))] | length > 0' before.json >/dev/null
	ok "$1: \`$3\` has a fix" out
	"$tegc" check --fix p.teg >out 2>&1 && diff whole.teg p.teg >>out
	ok "$1: \`$3\` becomes \`$2\`" out
	cp p.teg once.teg
	"$tegc" check --fix p.teg >out 2>&1 && cmp once.teg p.teg >>out
	ok "$1: nothing is left to mend" out
}
nl='
'
turns E0101 'zone wan = ' 'zoen wan = '
turns E0101 'net lab = ' 'net lab == '
turns E0101 'tcp from office' 'tcp form office'
turns E0102 '"eth0"' '“eth0”'
turns E0102 'office - lab' 'office – lab'
turns E0102 'office - lab' $'office\u00a0- lab'
turns E0102 'net office = sites' 'net office = sites;'
turns E0201 'office - lab' 'office-lab'
turns E0201 'extends OPEN' 'extends OPNE'
turns E0204 'std/services.teg' 'std/servics.teg'
turns E0201 'import "std/services.teg"
' ''
turns E0403 'is dropped' 'is droped'
turns E0403 'in every' 'in evry'
turns E0501 'established cut' 'established cutt'
turns E0501 'emit high' 'emit hihg'
turns E0505 '60%' '60'
turns E0505 '2%' '2'
turns E0507 '20%' '20'
turns E0508 '10m' '10minutes'
turns E0508 '100ms' '100MS'
turns E0508 '6h' '6hours'
turns E0708 "    default drop$nl" ''
turns E0709 "    default drop$nl" "    default drop$nl    default drop$nl"
turns E0706 "initial posture OPEN$nl" "initial posture OPEN${nl}initial posture OPEN # again$nl"
turns E0711 "    allow udp from office - lab to self port 53$nl" "    allow udp from office - lab to self port 53$nl    allow udp from office - lab to self port 53$nl"
turns E0714 'per source >' 'per sorce >'
turns E0716 'owner' 'ownr'
turns E0717 "    established cut$nl" "    established cut$nl    established cut$nl"
turns E0721 'without web' 'without wep'
turns E0726 'session.interval_jitter' 'session.interval_jiter'
turns E0729 'format netset' 'format netst'
turns E0729 'refresh' 'refesh'
turns E0803 'syn on wan =>' 'sin on wan =>'
turns E0807 'by web' 'by wbe'
turns E0901 'notify audit' 'notfy audit'
turns E0912 'run heal' 'run hael'
turns E0915 'on reflex.flood' 'on reflx.flood'
turns E0915 'on reflex.flood' 'on reflex.flod'
turns E0916 'event.source' 'event.sorce'
turns E0918 'qualia.pain >' 'qualia.pian >'
turns E1003 "    web: allow" "    # tegc: allow E0313 \"no more\"$nl    web: allow"

# --- the pages on diagnostics -----------------------------------------------------------------

# A wrong policy of a page either has no fix, or is without the page's mistake when it is made.
for page in "$root"/docs/errors/E*.md; do
	code=$(basename "$page" .md)
	awk '$1 == "```teg" && $2 == "wrong" { on = 1; if (NF > 2) exit; next } on && /^```/ { exit } on' "$page" >p.teg
	[ -s p.teg ] || continue
	"$tegc" check p.teg --report json=before.json >out 2>&1
	jq -e --arg code "$code" '[.diagnostics[] | select(.code == $code and has("fix"))] | length > 0' before.json >/dev/null || continue
	"$tegc" check --fix p.teg --report json=after.json >out 2>&1
	jq -e --arg code "$code" '([.diagnostics[].code] | index($code) == null) and .summary.fixed > 0' after.json >/dev/null
	ok "the page of $code: its fix mends it" out
	cp p.teg once.teg
	"$tegc" check --fix p.teg >out 2>&1
	cmp once.teg p.teg >>out
	ok "the page of $code: and then nothing is left to mend" out
done

# --- what is not sure -----------------------------------------------------------------------

stays() { # words; rules on stdin
	policy
	"$tegc" check --fix p.teg >out 2>&1
	cmp was.teg p.teg >>out 2>&1
	ok "$1" out
}
policy <<'TEG'
    web: allow tcp from offic to self port 80
TEG
sed -i 's/^net office/net offica = 198.51.100.0\/24\n&/' p.teg
cp p.teg was.teg
"$tegc" check --fix p.teg >out 2>&1
cmp was.teg p.teg >>out 2>&1
ok 'two names are as near: nothing is written' out
stays 'rules that hide each other stay: moving one would hide the other' <<'TEG'
    web: allow tcp to self port 80
    late: drop tcp to self port 80
TEG
grep -q 'never decides' out && ! grep -q fixed out
ok 'and are still told, and nothing is said to be fixed' out
stays 'other clauses of one kind' <<'TEG'
    web: allow tcp from office from 198.51.100.0/24 to self
TEG
stays 'what is allowed' <<'TEG'
    web: allow tcp to self port [80, 443]
    # tegc: allow E0313 "for the day when web goes"
    more: allow tcp from office to self port 80
TEG

# --- files -----------------------------------------------------------------------------------

policy <<'TEG'
    a: allow tcp from ofice to self port 80
    b: allow tcp from 192.0.2.77/24 to self port [81 - 90]
TEG
chmod 640 p.teg
"$tegc" check --fix p.teg >out 2>&1
[ "$(stat -c %a p.teg)" = 640 ] && grep -q '^p.teg: 3 fixed$' out
ok 'several in one file; its mode stays; it is said how many' out
printf 'import "lib.teg"\nposture OPEN {\n    default drop\n    web: allow tcp from lab to self\n}\n' >main.teg
printf 'net lab = 192.0.2.1/24\n' >lib.teg
"$tegc" check --fix main.teg >out 2>&1 && grep -qx 'net lab = 192.0.2.0/24' lib.teg
ok 'in a file that is imported' lib.teg
policy <<'TEG'
    a: allow tcp from ofice to self port 80
TEG
"$tegc" check --fix - <p.teg >out 2>&1
[ $? = 1 ] && cmp was.teg p.teg
ok 'standard input cannot be mended' out
"$tegc" check --fix p.teg >/dev/null 2>&1
cp p.teg once.teg
"$tegc" check --fix p.teg >out 2>&1
cmp once.teg p.teg && ! grep -q fixed out
ok 'what is right stays as it is' out
echo "1..$n"
