#!/bin/bash
# Every tests/wrong/X.teg is told exactly what X.diag says, exit code included; tests/golden/rewrite makes them anew.
set -u
cd "$(dirname "$0")" && . ../lib/golden.bash || exit 1

for policy in *.teg; do
	golden "${policy%.teg}.diag" "$("$tegc" check "$policy" 2>&1; echo "exit $?")" "$policy"
done
golden_done
