#!/bin/bash
# The policies of policies/examples stand in their one spelling, have no findings, hold their tests, and compile;
# what is in the bundle as their meaning means the same.
set -u
cd "$(dirname "$0")/../.." || exit 1
tegc=${BUILD:-build}/tegc
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0

ok() { # claim, command...
	n=$((n + 1))
	if "${@:2}" >"$dir/said" 2>&1; then echo "ok $n - $1"; else echo "not ok $n - $1"; sed 's/^/# /' "$dir/said"; fi
}
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
	ok "$name: one spelling" "$tegc" fmt --check "$policy"
	ok "$name: nothing to say" sh -c "'$tegc' check '$policy' | if grep .; then false; fi"
	ok "$name: its tests hold" "$tegc" test "$policy"
	ok "$name: its meaning is kept" means_the_same "$policy"
done
ok "the whole example asks for everything" asks_for_everything
echo "1..$n"
