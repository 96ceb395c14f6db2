#!/bin/bash
# Every tests/golden/nft/X.teg has in X.nft what its bundle says of it as an nft ruleset. `rewrite` makes it anew.
set -u
cd "$(dirname "$0")/nft" || exit 1
: "${BUILD:=build}"
case $BUILD in /*) ;; *) BUILD=$PWD/../../../$BUILD ;; esac
bundle=$(mktemp) || exit 1
trap 'rm -f "$bundle"' EXIT
n=0

ruleset() { "$BUILD/tegc" build -o "$bundle" "$1" 2>&1 && tar xOf "$bundle" nft/ruleset.nft; }

for policy in *.teg; do
	name=${policy%.teg}
	got=$(ruleset "$policy")
	n=$((n + 1))
	if [ "${REWRITE-}" ]; then
		printf '%s\n' "$got" >"$name.nft"
	elif [ "$got" = "$(cat "$name.nft" 2>/dev/null)" ]; then
		echo "ok $n - $name: the ruleset as a person reads it"
	else
		echo "not ok $n - $name: the ruleset as a person reads it"
		diff "$name.nft" - <<<"$got" 2>&1 | sed 's/^/# /'
	fi
done
[ "${REWRITE-}" ] || echo "1..$n"
