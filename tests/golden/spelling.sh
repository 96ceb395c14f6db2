#!/bin/bash
# Every tests/golden/spelling/X.teg has its one spelling in X.fmt, whether or not it compiles. `rewrite` makes it anew.
set -u
cd "$(dirname "$0")/spelling" || exit 1
: "${BUILD:=build}"
case $BUILD in /*) ;; *) BUILD=$PWD/../../../$BUILD ;; esac
n=0

spelled() { "$BUILD/tegc" fmt - <"$1" 2>&1; }

compare() { # file, got, claim
	n=$((n + 1))
	if [ "${REWRITE-}" ]; then
		printf '%s\n' "$2" >"$1"
	elif [ "$2" = "$(cat "$1" 2>/dev/null)" ]; then
		echo "ok $n - $3"
	else
		echo "not ok $n - $3"
		diff "$1" - <<<"$2" 2>&1 | sed 's/^/# /'
	fi
}

for policy in *.teg; do
	name=${policy%.teg}
	compare "$name.fmt" "$(spelled "$policy")" "$name: the one spelling"
	[ "${REWRITE-}" ] || compare "$name.fmt" "$(spelled "$name.fmt")" "$name: spelled again"
done
[ "${REWRITE-}" ] || echo "1..$n"
