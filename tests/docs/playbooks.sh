#!/bin/bash
# docs/playbooks.md tells every row: steps with their example, events with what they tell, senses, instructions.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
page=docs/playbooks.md
has() { grep -qF -- "$1" "$page" || echo "missing: $1"; }

steps=$(grep -c '^STEP(.*"' lang/vocab/step.def)
empty "there are steps to tell" "$([ "$steps" -ge 13 ] || echo "found $steps")"
while IFS=$'\t' read -r words example; do
	empty "step $words has a section, with its example" "$(has "### $words"; has "\`${example//\\\"/\"}\`")"
done < <(sed -n 's/^STEP([A-Z_]*, "\([^"]*\)", "\(.*\)",$/\1\t\2/p' lang/vocab/step.def)
while IFS=$'\t' read -r name about; do
	empty "sense $name is told as its row says" "$(has "| \`$name\` | $about")"
done < <(sed -n 's/^SENSE([A-Z]*,[[:space:]]*"\([^"]*\)",[[:space:]]*"\([^"]*\)".*/\1\t\2/p' lang/vocab/sense.def)
while IFS=$'\t' read -r word fields about; do
	tells=$(grep -oE 'F\([A-Z]+\)' <<<"$fields" | tr -d 'F()' | tr 'A-Z\n' 'a-z ' | sed -E 's/ $//; s/([a-z]+)/`event.\1`/g; s/ /, /g')
	empty "event $word is told with what it tells" "$(has "| \`$word.NAME\` | $about | $tells |")"
done < <(sed -n 's/^EVENT([A-Z]*, "\([a-z]*\)", \(.*\), "\(.*\)")$/\1\t\2\t\3/p' lang/vocab/event.def)
while IFS=$'\t' read -r word equation; do
	empty "instruction $word is told with its equation" "$(grep -F "| \`$word\` |" "$page" | grep -qF "$equation" || echo "missing: $equation")"
done < <(sed -n "s/^OP([A-Z]*,[[:space:]]*\"\([a-z]*\)\",[[:space:]]*[A-Z]*,[[:space:]]*\"\(.*\)\")$/\1\t\2/p" lang/playbook/op.def)
echo "1..$n"
