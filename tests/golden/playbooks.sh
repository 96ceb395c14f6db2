#!/bin/bash
# The example that binds every playbook of playbooks/ has nothing wrong with it, and its code is as
# written in tests/golden/playbooks/; what it means makes the same bundle again. `rewrite` makes the code anew.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:=build}"
tegc=$BUILD/tegc
case $tegc in /*) ;; *) tegc=$PWD/$tegc ;; esac
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0

claim() { # held, words
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$dir/said"; fi
}

example=policies/examples/healing.teg
code() { "$tegc" disasm "$1" | sed -n '/^needs of/,/^$/p; /^responses/,$p'; }

"$tegc" build "$example" -o "$dir/one.tegb" 2>"$dir/said" && code "$dir/one.tegb" >"$dir/code"
if [ "${REWRITE-}" ]; then
	cp "$dir/code" tests/golden/playbooks/healing.code
	exit
fi
diff tests/golden/playbooks/healing.code "$dir/code" >"$dir/said" 2>&1
claim $? "the code of every playbook is as it was"
"$tegc" check "$example" >"$dir/said" 2>&1
claim $? "nothing is wrong with the example"
[ ! -s "$dir/said" ]
claim $? "nor is anything to be warned of"
"$tegc" test "$example" >"$dir/said" 2>&1
claim $? "its tests hold"
for playbook in playbooks/*.teg; do
	grep -q "\"../../$playbook\"" "$example"
	claim $? "the example binds $playbook"
	"$tegc" fmt --check "$playbook" >"$dir/said" 2>&1
	claim $? "$playbook stands in its one spelling"
	name=$(basename "$playbook" .teg)
	worst=$(sed -n "/^playbook $name(/,/worst/s/ *worst *\(.*\); when.*/\1/p" "$dir/code")
	grep -qF "\`$name.teg\`" playbooks/README.md && grep -F "\`$name.teg\`" playbooks/README.md | grep -qF "| $worst |"
	claim $? "playbooks/README.md tells the worst case of $name: $worst"
done
tar xOf "$dir/one.tegb" policy/resolved.teg >"$dir/resolved.teg"
"$tegc" build "$dir/resolved.teg" -o "$dir/two.tegb" >"$dir/said" 2>&1 && cmp "$dir/one.tegb" "$dir/two.tegb" >>"$dir/said" 2>&1
claim $? "what it means makes the same bundle"

sed 's/block src for 1d/block src for 2d/; /^decoy ssh/,/^}/d; /^on decoy/d' "$dir/resolved.teg" >"$dir/changed.teg"
"$tegc" diff "$dir/resolved.teg" "$dir/changed.teg" >"$dir/said" 2>&1
cat >"$dir/wanted" <<'OUT'
PLAYBOOK low      playbook decoy_touched   push 1d -> push 2d
RESPONSE medium   on decoy run decoy_touched(event.source)   present -> absent
RESPONSE medium   decoy ssh_001 ssh on tcp/2222 says "SSH-2.0-OpenSSH_8.4", technique T1110   present -> absent
proved: 1 invariant holds; nothing else changes
0 opened (0 high), 0 closed, 0 rate, 0 effect, 0 unknown
OUT
diff "$dir/wanted" "$dir/said" >"$dir/differs"
held=$?
mv "$dir/differs" "$dir/said"
claim $held "what changes in playbooks and what runs them is told of by diff"

sed 's/ for time$//' playbooks/contain_source.teg >"$dir/endless.teg"
"$tegc" check "$dir/endless.teg" >"$dir/said" 2>&1
grep -q 'E0904' "$dir/said"
claim $? "a block without its end is refused"
echo "1..$n"
