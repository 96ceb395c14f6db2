#!/bin/bash
# Every tests/golden/spelling/X.teg has its one spelling in X.fmt, whether or not it compiles. `rewrite` makes it anew.
set -u
cd "$(dirname "$0")/spelling" && . ../../lib/golden.bash || exit 1

spelled() { "$tegc" fmt - <"$1" 2>&1; }

for policy in *.teg; do
	name=${policy%.teg}
	golden "$name.fmt" "$(spelled "$policy")" "$name: the one spelling"
	[ "${REWRITE-}" ] || golden "$name.fmt" "$(spelled "$name.fmt")" "$name: spelled again"
done
golden_done
