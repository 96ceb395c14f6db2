#!/bin/bash
# Every example of docs/language.md and of the README is a right policy, its tests hold, and it says
# what it says in its one spelling too.
set -u
cd "$(dirname "$0")/../.." || exit 1
tegc=${BUILD:-build}/tegc
case $tegc in /*) ;; *) tegc=$PWD/$tegc ;; esac
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0

claim() { # held, words
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$dir/said"; fi
}

awk -v dir="$dir" '$1 == "```teg" { n++; inside = 1; next } $1 == "```" { inside = 0 }
	inside { print > sprintf("%s/example-%02d.teg", dir, n) }' docs/language.md README.md
cd "$dir" || exit 1
for example in example-*.teg; do
	line=$(head -1 "$example")
	"$tegc" check --no-proofs "$example" >said 2>&1
	claim $? "$example is right: $line"
	grep -q '^test ' "$example" && { "$tegc" test "$example" >said 2>&1; claim $? "$example: its tests hold"; }
	"$tegc" fmt "$example" >said 2>&1 && "$tegc" check --no-proofs "$example" >said 2>&1 && "$tegc" fmt --check "$example" >said 2>&1
	claim $? "$example: right in its one spelling"
done
[ "$n" -gt 15 ]
claim $? "there are examples"
echo "1..$n"
