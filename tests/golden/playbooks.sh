#!/bin/bash
# The example that binds every playbook of playbooks/ has nothing wrong with it, and its code is as
# written in tests/golden/playbooks/; what it means makes the same bundle again. `rewrite` makes the code anew.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1

example=policies/examples/healing.teg
code() { "$tegc" disasm "$1" | sed -n '/^needs of/,/^$/p; /^responses/,$p'; }

"$tegc" build "$example" -o "$dir/one.tegb" 2>"$dir/said" && code "$dir/one.tegb" >"$dir/code"
if [ "${REWRITE-}" ]; then
	cp "$dir/code" tests/golden/playbooks/healing.code
	exit
fi
diff tests/golden/playbooks/healing.code "$dir/code" >"$dir/said" 2>&1
ok "the code of every playbook is as it was" "$dir/said"
"$tegc" check "$example" >"$dir/said" 2>&1
ok "nothing is wrong with the example" "$dir/said"
[ ! -s "$dir/said" ]
ok "nor is anything to be warned of" "$dir/said"
"$tegc" test "$example" >"$dir/said" 2>&1
ok "its tests hold" "$dir/said"
for playbook in playbooks/*.teg; do
	grep -q "\"../../$playbook\"" "$example"
	ok "the example binds $playbook" "$dir/said"
	"$tegc" fmt --check "$playbook" >"$dir/said" 2>&1
	ok "$playbook stands in its one spelling" "$dir/said"
	name=$(basename "$playbook" .teg)
	worst=$(sed -n "/^playbook $name(/,/worst/s/ *worst *\(.*\); when.*/\1/p" "$dir/code")
	grep -qF "\`$name.teg\`" playbooks/README.md && grep -F "\`$name.teg\`" playbooks/README.md | grep -qF "| $worst |"
	ok "playbooks/README.md tells the worst case of $name: $worst" "$dir/said"
done
tar xOf "$dir/one.tegb" policy/resolved.teg >"$dir/resolved.teg"
"$tegc" build "$dir/resolved.teg" -o "$dir/two.tegb" >"$dir/said" 2>&1 && cmp "$dir/one.tegb" "$dir/two.tegb" >>"$dir/said" 2>&1
ok "what it means makes the same bundle" "$dir/said"

sed 's/block src for 1d/block src for 2d/; /^decoy ssh/,/^}/d; /^on decoy/d' "$dir/resolved.teg" >"$dir/changed.teg"
"$tegc" diff "$dir/resolved.teg" "$dir/changed.teg" >"$dir/said" 2>&1
cat >"$dir/wanted" <<'OUT'
PLAYBOOK low      playbook decoy_touched   push 1d -> push 2d
RESPONSE medium   on decoy run decoy_touched(event.source)   present -> absent
   flags      effect-lost
RESPONSE medium   decoy ssh_001 ssh on tcp/2222 says "SSH-2.0-OpenSSH_8.4", technique T1110   present -> absent
   flags      effect-lost
proved: 1 invariant holds; nothing else changes
0 opened (0 high), 0 closed, 0 rate, 0 effect, 0 unknown
OUT
diff "$dir/wanted" "$dir/said" >"$dir/differs"
held=$?
mv "$dir/differs" "$dir/said"
claim $held "what changes in playbooks and what runs them is told of by diff" <"$dir/said"

sed 's/ for time$//' playbooks/contain_source.teg >"$dir/endless.teg"
"$tegc" check "$dir/endless.teg" >"$dir/said" 2>&1
grep -q 'E0904' "$dir/said"
ok "a block without its end is refused" "$dir/said"

# refused CODE WORDS: what a step can do to a claim, or to itself through events; the playbooks on stdin
refused() {
	{ cat <<'TEG'; cat; } >"$dir/wrong.teg"
zone wan = "eth0"
lifeline { owner: tcp from 203.0.113.0/24 to self port 22 }
posture SHUT { default drop }
posture OPEN extends SHUT { web: allow tcp to self port 443 }
initial posture OPEN
invariant shop { in OPEN: tcp to self port 443 is allowed }
invariant office { in every posture: tcp from 203.0.113.0/24 to self port 22 is allowed }
TEG
	"$tegc" check "$dir/wrong.teg" >"$dir/said" 2>&1
	[ "$(grep -oE '^error\[E[0-9]+\]' "$dir/said" | grep -oE 'E[0-9]+' | sort -u | tr '\n' ' ')" = "$1" ] &&
		! grep -q '`office` ' "$dir/said"
	ok "$2" "$dir/said"
}
refused 'E0925 ' "a block breaks the shop, and not the office's lifeline" <<'TEG'
playbook p(src: address) { budget blocks 5 per 1h, runtime 10m
    block src for 1h }
TEG
refused 'E0925 ' "so does a scar" <<'TEG'
playbook p(src: address) { budget blocks 5 per 1h, runtime 10m
    scar src }
TEG
refused 'E0925 ' "and a throttle of its zone" <<'TEG'
playbook p() { budget runtime 10m
    throttle wan to 10mbit for 10m }
TEG
refused 'E0925 ' "also when it only answers a failure" <<'TEG'
playbook p(src: address) { budget blocks 5 per 1h, runtime 10m
    notify audit
    on failure { block src for 1h } }
TEG
refused '' "a posture and a cut of sessions break nothing" <<'TEG'
playbook p(src: address) { budget runtime 10m
    posture SHUT for 10m
    sessions cut from src }
TEG
refused 'E0904 ' "a throttle without its end" <<'TEG'
playbook p() { budget runtime 10m
    throttle wan to 10mbit }
TEG
refused 'E0904 ' "a posture without its end" <<'TEG'
playbook p() { budget runtime 10m
    posture SHUT }
TEG
refused 'E0914 ' "its failure runs it" <<'TEG'
playbook p() { budget runtime 10m
    notify audit }
on playbook.p run p()
TEG
refused 'E0914 ' "two that take each other's posture" <<'TEG'
playbook p() { budget runtime 10m
    posture OPEN for 1h }
playbook q() { budget runtime 10m
    posture SHUT for 1h }
on posture.SHUT run p()
on posture.OPEN run q()
TEG
refused 'E0914 ' "one that runs again when its posture ends" <<'TEG'
playbook p() { budget runtime 10m
    posture SHUT for 1m }
on posture.OPEN run p()
TEG
echo "1..$n"
