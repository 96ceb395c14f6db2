#!/bin/bash
# Every mutant planted in the prover (compiler/prove/mutant.h) must be noticed by one of its tests.
set -u
cd "$(dirname "$0")/../.."
build=$(realpath "${BUILD:-build}")
case $build in
*-asan | *-valgrind)
	echo "1..0 # SKIP mutants are tried in the release build"
	exit
	;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

most=$(grep -oh 'MUTANT([0-9]*' compiler/prove/*.c | cut -d'(' -f2 | sort -n | tail -1)
sources=$(grep -l 'MUTANT(' compiler/prove/*.c)
tests="prove_laws prove_first_match prove_questions prove_diff"
rest=$(ls "$build"/compiler/{ir,pattern,prove}/*.o "$build"/lang/{base,vocab,playbook,derme}/*.o "$build"/tests/lib/{tap,rules_gen}.o)
flags="-std=gnu17 -D_GNU_SOURCE -I. -O1 -fPIE -w"

# The first test that fails, or dies, or does not end.
noticed_by() # mutant
{
	local n=$1 objects=$rest source t

	mkdir -p "$work/$n"
	for source in $(grep -l "MUTANT($n," $sources); do
		local name=$(basename "$source" .c)
		cc $flags -DPROVE_MUTANT="$n" -c -o "$work/$n/$name.o" "$source" || return
		objects=$(echo "$objects" | grep -v "/compiler/prove/$name.o$")
	done
	for t in $tests; do
		cc -pie -o "$work/$n/$t" "$build/tests/unit/$t.o" "$work/$n"/*.o $objects -lsodium -lm || return
		if ! timeout 60 "$work/$n/$t" 1 >/dev/null 2>&1; then
			echo "$t"
			break
		fi
	done
	rm -rf "${work:?}/$n"
}

try() # mutant
{
	local by
	by=$(noticed_by "$1" 2>/dev/null)
	if [ -n "$by" ]; then
		echo "ok $1 - mutant $1 is noticed by $by"
	else
		echo "not ok $1 - mutant $1 is noticed"
	fi
}

for n in $(seq 1 "$most"); do
	try "$n" &
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
		wait -n
	done
done
wait
echo "1..$most"
