#!/bin/bash
# Every example of docs/language.md and of the README is a right policy, its tests hold, and it says
# what it says in its one spelling too.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1

awk -v dir="$dir" '$1 == "```teg" { n++; inside = 1; next } $1 == "```" { inside = 0 }
	inside { print > sprintf("%s/example-%02d.teg", dir, n) }' docs/language.md README.md
cd "$dir" || exit 1
for example in example-*.teg; do
	line=$(head -1 "$example")
	"$tegc" check --no-proofs "$example" >said 2>&1
	ok "$example is right: $line" "$dir/said"
	grep -q '^test ' "$example" && { "$tegc" test "$example" >said 2>&1; ok "$example: its tests hold" "$dir/said"; }
	"$tegc" fmt "$example" >said 2>&1 && "$tegc" check --no-proofs "$example" >said 2>&1 && "$tegc" fmt --check "$example" >said 2>&1
	ok "$example: right in its one spelling" "$dir/said"
done
[ "$n" -gt 15 ]
ok "there are examples" "$dir/said"
echo "1..$n"
