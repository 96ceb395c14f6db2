#!/bin/bash
# The manual of tegd knows every setting, and the settings every flag of the manual.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
page=docs/man/tegd.8

names=$(sed -n 's/^SETTING([a-z_]*, *"\([a-z-]*\)".*/\1/p' enforcer/proc/setting.def)
unwritten=$(for name in $names; do
	grep -q "^\.It Fl -$name .*TEGUMENTAR_$(echo "$name" | tr a-z- A-Z_)$" $page || echo "$name"
done)
empty "each setting is in the manual, with its variable" "$unwritten"
unknown=$(sed -n 's/^\.It Fl -\([a-z-]*\) .*TEGUMENTAR.*/\1/p' $page | grep -vxF "$names")
empty "the manual has no setting that there is not" "$unknown"
unhelped=$(for name in $names; do "$BUILD/tegd" --help | grep -q -- "^  --$name " || echo "$name"; done)
empty "and --help lists each" "$unhelped"
empty "the manual is well-formed" "$(command -v mandoc >/dev/null && mandoc -T lint -W error $page 2>&1)"
echo "1..$n"
