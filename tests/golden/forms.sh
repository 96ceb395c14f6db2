#!/bin/bash
# Every tests/golden/forms/X.teg has its one spelling in X.fmt and its meaning, as
# policy/resolved.teg of its bundle, in X.resolved. `rewrite` makes both anew.
set -u
cd "$(dirname "$0")/forms" || exit 1
: "${BUILD:=build}"
case $BUILD in /*) ;; *) BUILD=$PWD/../../../$BUILD ;; esac
tegc=$BUILD/tegc
bundle=$(mktemp) || exit 1
trap 'rm -f "$bundle"' EXIT
n=0

spelled() { "$tegc" fmt - <"$1" 2>&1; }
meant() { "$tegc" build -o "$bundle" "$1" 2>&1 && tar xOf "$bundle" policy/resolved.teg; }

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
	compare "$name.resolved" "$(meant "$policy")" "$name: the meaning"
	[ "${REWRITE-}" ] && continue
	compare "$name.fmt" "$(spelled "$name.fmt")" "$name: spelled again"
	compare "$name.resolved" "$(meant "$name.resolved")" "$name: the meaning of the meaning"
	compare "$name.resolved" "$(meant "$name.fmt")" "$name: the meaning of the spelling"
done
[ "${REWRITE-}" ] || echo "1..$n"
