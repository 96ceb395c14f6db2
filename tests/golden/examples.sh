#!/bin/bash
# The policies of policies/examples stand in their one spelling, have no findings, hold their tests, and compile;
# what is in the bundle as their meaning means the same.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1

held() { "$@" >"$dir/said" 2>&1; }
means_the_same() { # policy
	"$tegc" build "$1" -o "$dir/a.tegb" && tar xOf "$dir/a.tegb" policy/resolved.teg >"$dir/a.teg" &&
		"$tegc" build "$dir/a.teg" -o "$dir/b.tegb" && tar xOf "$dir/b.tegb" policy/resolved.teg | diff "$dir/a.teg" -
}
# Every construct: the whole example asks for all that an enforcer may be asked for, but what one host cannot have.
asks_for_everything() {
	"$tegc" build policies/examples/whole.teg -o "$dir/whole.tegb" && "$tegc" disasm "$dir/whole.tegb" >"$dir/words" &&
		sed -n 's/^NEED([A-Z_]*, "\(.*\)")/\1/p' lang/vocab/need.def | grep -v fleet | while read -r need; do
			grep -q "^    $need: " "$dir/words" || { echo "nothing needs $need"; exit 1; }
		done
}

for policy in policies/examples/*.teg; do
	name=${policy##*/}
	held "$tegc" fmt --check "$policy"; ok "$name: one spelling" "$dir/said"
	held sh -c "'$tegc' check '$policy' | if grep .; then false; fi"; ok "$name: nothing to say" "$dir/said"
	held "$tegc" test "$policy"; ok "$name: its tests hold" "$dir/said"
	held means_the_same "$policy"; ok "$name: its meaning is kept" "$dir/said"
done
held asks_for_everything; ok "the whole example asks for everything" "$dir/said"
echo "1..$n"
