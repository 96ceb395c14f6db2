#!/bin/bash
# tegc check --fix: every fix leads to a policy without its diagnostic, and changes nothing else.
set -u
cd "$(dirname "$0")/../.." || exit 1
tegc=${BUILD:-build}/tegc
case $tegc in /*) ;; *) tegc=$PWD/$tegc ;; esac
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
root=$PWD
cd "$dir" || exit 1
n=0

ok() {
	local rc=$?
	n=$((n + 1))
	[ $rc = 0 ] && { echo "ok $n - $1"; return; }
	echo "not ok $n - $1"
	sed 's/^/# /' "$2"
}
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
