#!/bin/bash
# Every tests/golden/forms/X.teg has its one spelling in X.fmt and its meaning, as
# policy/resolved.teg of its bundle, in X.resolved. `rewrite` makes both anew.
set -u
cd "$(dirname "$0")/forms" && . ../../lib/golden.bash || exit 1

spelled() { "$tegc" fmt - <"$1" 2>&1; }
meant() { "$tegc" build -o "$bundle" "$1" 2>&1 && tar xOf "$bundle" policy/resolved.teg; }

for policy in *.teg; do
	name=${policy%.teg}
	golden "$name.fmt" "$(spelled "$policy")" "$name: the one spelling"
	golden "$name.resolved" "$(meant "$policy")" "$name: the meaning"
	[ "${REWRITE-}" ] && continue
	golden "$name.fmt" "$(spelled "$name.fmt")" "$name: spelled again"
	golden "$name.resolved" "$(meant "$name.resolved")" "$name: the meaning of the meaning"
	golden "$name.resolved" "$(meant "$name.fmt")" "$name: the meaning of the spelling"
done
golden_done
