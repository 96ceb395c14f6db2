#!/bin/bash
# Input that is no policy at all: each kind has its code and its exit code, and
# nothing takes long.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
cd "$dir" || exit 1

expect() { # exit code, text that is said, words, then the command
	local code=$1 text=$2 words=$3 got
	shift 3
	timeout 20 "$@" >said 2>&1
	got=$?
	[ $got = "$code" ] && if [ -n "$text" ]; then grep -qF -- "$text" said; else [ ! -s said ]; fi
	claim $? "$words (exit $got)" < <(head -20 said)
}

posture='posture CLOSED { default drop }'
expect 66 'error[E0001]: cannot open none.teg' 'a file that does not exist' "$tegc" check none.teg
mkdir dir.teg
expect 66 'error[E0002]: dir.teg is a directory' 'a directory' "$tegc" check dir.teg
head -c 70000000 /dev/zero | tr '\0' '\n' >large.teg
expect 66 'error[E0003]: large.teg has more than 64 MiB' 'a file of 70 MB' "$tegc" check large.teg
rm large.teg
printf 'net a = 192.0.2.1\n\0\n' >nul.teg
expect 1 'error[E0004]' 'a NUL byte' "$tegc" check nul.teg
printf 'net a = 192.0.2.1 # \303(\n' >latin.teg
expect 1 'error[E0005]' 'text that is not UTF-8' "$tegc" check latin.teg
expect 1 'error[E0005]' 'which fmt tells too' "$tegc" fmt latin.teg
printf 'manifest\0\0\0' >sealed.tegb
expect 1 'this is a bundle, not the text of a policy' 'a bundle' "$tegc" check sealed.tegb
expect 1 'this is a bundle, not the text of a policy' 'a bundle that is to be spelled' "$tegc" fmt sealed.tegb
expect 1 'there is a NUL byte in it: this is no ruleset' 'a ruleset that is none' "$tegc" import nft sealed.tegb
expect 66 'tegc import: cannot open none.nft: No such file' 'a ruleset that does not exist' "$tegc" import nft none.nft
expect 66 'error[E0001]' 'a path through a file' "$tegc" check nul.teg/x.teg
echo "$posture" >secret.teg
chmod 000 secret.teg
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && setpriv --reuid=65534 --clear-groups "$tegc" help >/dev/null 2>&1; then
	chmod 711 "$dir"
	expect 66 'Permission denied' 'a file that may not be read' \
		setpriv --reuid=65534 --clear-groups --inh-caps=-all "$tegc" check secret.teg
elif [ "$(id -u)" != 0 ]; then
	expect 66 'Permission denied' 'a file that may not be read' "$tegc" check secret.teg
else
	skip 'a file that may not be read' 'root reads everything, and setpriv cannot run tegc here'
fi
expect 74 'error[E0006]' 'a file that breaks off' "$tegc" check /proc/self/mem

expect 64 'usage: tegc check' 'no file' "$tegc" check
expect 64 'usage: tegc check' 'an option that does not exist' "$tegc" check --frobnicate x.teg
expect 64 'NAME=VALUE' 'a parameter without a value' "$tegc" check --param _office none.teg
expect 64 '--fail-level takes error or warning' 'a level that there is not' "$tegc" check --fail-level worst none.teg
expect 64 'there is no engine `nft`' 'an engine that there is not' "$tegc" test --engine eval,nft none.teg
expect 64 '-o says where the bundle goes' 'a bundle without a name' "$tegc" build none.teg
expect 64 '--serial counts signatures' 'a serial without a signature' "$tegc" build none.teg -o none.tegb --serial 3
expect 64 '--key names the secret key' 'a signature without a key' "$tegc" sign none.tegb
expect 64 'there is no command' 'a command that does not exist' "$tegc" frobnicate

printf 'param _office: net = 192.0.2.0/24\nparam _web: port = 80\nparam wan_if: interface = "eth0"\nzone wan = wan_if\n%s\n' \
	"$posture" >param.teg
printf '{ "_office": ["198.51.100.0/24", "2001:db8::/32"], "_web": 8443, "wan_if": ["wan0", "br-*"] }' >good.json
expect 0 '' 'parameters from a file' "$tegc" check --params good.json param.teg
expect 0 '' 'an interface needs no quotes on the command line' "$tegc" check --param wan_if=wan0 param.teg
printf '{ "_office": { "a": 1 } }' >nested.json
literal() { # WANT PARAM...: the pattern of the reflex, as it is resolved
	"$tegc" build "${@:2}" pattern.teg -o pattern.tegb && tar xOf pattern.tegb policy/resolved.teg | grep -oE 'payload .*'
}
cat >pattern.teg <<'TEG'
zone wan = "eth0"
param scan: pattern = "none"
reflex r {
    match tcp payload scan on wan
    do    drop
}
posture A {
    default drop
}
TEG
for pattern in '[a-z]+\/\d"x' '\x2e\sa' '(a|b)c'; do
	same "payload /$pattern/" "$(literal "$pattern" --param "scan=$pattern")" "a pattern stands for itself: $pattern"
	jq -n --arg p "$pattern" '{ scan: $p }' >pattern.json
	same "payload /$pattern/" "$(literal "$pattern" --params pattern.json)" "also in a file: $pattern"
done
same "payload /a b/" "$(literal x --param 'scan="a b"')" "quotes may be written all the same"
expect 1 'error[E0209]' 'a parameter that is an object' "$tegc" check --params nested.json param.teg
printf '{ "_office": ' >broken.json
expect 1 'error[E0209]: this is not JSON' 'a parameter file that breaks off' "$tegc" check --params broken.json param.teg
printf '[1]' >list.json
expect 1 'error[E0209]: this is not a JSON object' 'a parameter file that is a list' "$tegc" check --params list.json param.teg
expect 66 'error[E0001]' 'a parameter file that does not exist' "$tegc" check --params none.json param.teg
printf '{ "_web": 80.5 }' >half.json
expect 1 'error[E0209]' 'half a port' "$tegc" check --params half.json param.teg
expect 1 '--param _office:1:1' 'a mistake in a parameter has a place' "$tegc" check --param _office=192.0.2.1/24 param.teg

printf 'net a = %s192.0.2.1%s\n' "$(printf '(%.0s' {1..5000})" "$(printf ')%.0s' {1..5000})" >deep.teg
expect 1 'error[E0105]' '5,000 brackets' "$tegc" check deep.teg
{ printf 'net a = 192.0.2.1'; yes ' + 192.0.2.1 - 192.0.2.2' | head -n 20000 | tr -d '\n'; echo; } >long.teg
expect 1 'error[E0105]' '40,000 operators that alternate' "$tegc" check long.teg
{ printf 'net _a = 192.0.2.1'; yes ' + 192.0.2.1' | head -n 100000 | tr -d '\n'; echo; echo "$posture"; } >sum.teg
expect 0 '' 'a sum of 100,000 parts' "$tegc" check sum.teg
{ for i in $(seq 3000 -1 1); do echo "net n$i = n$((i - 1))"; done; echo 'net n0 = 192.0.2.1'; echo "$posture"; } >chain.teg
expect 1 'error[E0105]' '3,000 names that build on each other' "$tegc" check chain.teg
yes 'net a b' | head -n 500000 >million.teg
expect 1 '499800 more are not shown' 'half a million mistakes' "$tegc" check million.teg
echo 'import "a.teg"' >b.teg
printf 'import "b.teg"\n%s\n' "$posture" >a.teg
expect 1 'error[E0205]' 'files that import each other' "$tegc" check a.teg

looks_for() { printf 'zone wan = "eth0"\n%s\nreflex sign { match tcp to self port 80 payload %s do drop }\n' "$posture" "$1" >pattern.teg; }
looks_for '/a*/'
expect 1 'found in every payload' 'a pattern that everything has' "$tegc" check pattern.teg
looks_for '/$^/'
expect 1 'found in no payload' 'a pattern that nothing has' "$tegc" check pattern.teg

printf 'posture CLOSED {\r\n    default drop\r\n}\r\n' >crlf.teg
expect 0 '' 'line ends of another system' "$tegc" check crlf.teg
printf '\357\273\277%s\n' "$posture" >bom.teg
expect 0 '' 'a byte order mark' "$tegc" check bom.teg
: >empty.teg
expect 0 '' 'an empty file is a library' "$tegc" check empty.teg
printf 'net a = 192.0.2.1 \033[31m\342\200\256\n' >escape.teg
"$tegc" check escape.teg >said
LC_ALL=C grep -q '[[:cntrl:]]' <(tr -d '\n' <said)
claim $((! $?)) 'no control character of a policy reaches the terminal' <said
! LC_ALL=C grep -q $'\342\200\256' said
claim $? 'nor a sign that turns the direction of text' <said

echo "posture   CLOSED { default    drop }" >ugly.teg
expect 2 'ugly.teg' 'fmt --check tells what would change' "$tegc" fmt --check ugly.teg
expect 0 '' 'fmt writes in place' "$tegc" fmt ugly.teg
expect 0 '' 'and is then content' "$tegc" fmt --check ugly.teg
cp a.teg before.teg
echo 'net a b' >>a.teg
cp a.teg before.teg
expect 1 'error[E0101]' 'fmt does not touch what it cannot read' "$tegc" fmt a.teg
cmp -s a.teg before.teg
claim $? 'the file is as it was' <said
echo "1..$n"
