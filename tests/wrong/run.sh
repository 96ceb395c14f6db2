#!/bin/bash
# Every tests/wrong/X.teg is told exactly what X.diag says, exit code included; tests/golden/rewrite makes them anew.
set -u
cd "$(dirname "$0")" || exit 1
: "${BUILD:=build}"
case $BUILD in /*) tegc=$BUILD/tegc ;; *) tegc=../../$BUILD/tegc ;; esac
n=0
for policy in *.teg; do
	n=$((n + 1))
	got=$("$tegc" check "$policy" 2>&1; echo "exit $?")
	if [ "${REWRITE-}" ]; then
		printf '%s\n' "$got" >"${policy%.teg}.diag"
	elif [ "$got" = "$(cat "${policy%.teg}.diag" 2>/dev/null)" ]; then
		echo "ok $n - $policy"
	else
		echo "not ok $n - $policy"
		diff "${policy%.teg}.diag" - <<<"$got" 2>&1 | sed 's/^/# /'
	fi
done
[ "${REWRITE-}" ] || echo "1..$n"
