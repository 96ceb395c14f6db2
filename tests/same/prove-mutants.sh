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

most=$(grep -roh --include='*.c' 'MUTANT([0-9]*' compiler/prove | cut -d'(' -f2 | sort -n | tail -1)
sources=$(grep -rl --include='*.c' 'MUTANT(' compiler/prove)
tests="prove_laws prove_first_match prove_questions prove_diff"
rest=$(find compiler/{ir,pattern,prove} lang/{base,vocab,playbook,derme} tests/lib/{tap,rules_gen,rules_edits,rules_points}.c -name '*.c' |
	sed "s|^|$build/|; s|c$|o|")
flags="-std=gnu17 -D_GNU_SOURCE -DPROVE_MUTANTS -I. -O1 -fPIE -w"
test_seconds=60 # of the processor, for one that does not end

# Who is asked first. Others are where it does not notice: this only spares time.
first() {
	case $1 in
	[1-9] | 10) echo prove_laws ;;
	11 | 12 | 13 | 15 | 17 | 18 | 20) echo prove_first_match ;;
	14 | 16 | 19 | 2[1-4]) echo prove_questions ;;
	*) echo prove_diff ;;
	esac
}

cat >"$work/pick.c" <<'EOF'
#include <stdlib.h>

int prove_mutant;

__attribute__((constructor)) static void pick(void)
{
	prove_mutant = atoi(getenv("PROVE_MUTANT"));
}
EOF

# One build for all: what is planted is compiled anew, the rest is as it is.
for source in $sources; do
	rest=$(grep -v "/${source%.c}.o$" <<<"$rest")
done
compile() { local o=${1%.c}.o; cc $flags -c -o "$work/${o//\//_}" "$1"; }
export -f compile; export flags work
printf '%s\n' $sources "$work/pick.c" | xargs -P2 -n1 bash -c 'compile "$0"' || { echo "Bail out! the mutants are not built"; exit 1; }
for t in $tests; do
	cc -pie -o "$work/$t" "$build/tests/unit/$t.o" "$work"/*.o $rest -lsodium -lnettle -lm || exit 1
done

# The first test that fails, or dies, or does not end.
noticed_by() # mutant
{
	local t

	for t in $(first "$1") $tests; do
		if ! (ulimit -t $test_seconds; TAP_STOP=1 PROVE_MUTANT=$1 exec "$work/$t" 1) >/dev/null 2>&1; then
			echo "$t"
			break
		fi
	done
}

try() # mutant
{
	local by
	by=$(noticed_by "$1" 2>/dev/null)
	if [ "$1" = 0 ]; then
		[ -z "$by" ] && echo "ok 1 - nothing is noticed where none is planted" || echo "not ok 1 - $by fails where none is planted"
	elif [ -n "$by" ]; then
		echo "ok $(($1 + 1)) - mutant $1 is noticed by $by"
	else
		echo "not ok $(($1 + 1)) - mutant $1 is noticed"
	fi
}

for n in $(seq 0 "$most"); do
	try "$n" &
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
		wait -n
	done
done
wait
echo "1..$((most + 1))"
