#!/bin/bash
# Every tests/golden/nft/X.teg has in X.nft what its bundle says of it as an nft ruleset. `rewrite` makes it anew.
set -u
cd "$(dirname "$0")/nft" && . ../../lib/golden.bash || exit 1

ruleset() { "$tegc" build -o "$bundle" "$1" 2>&1 && tar xOf "$bundle" nft/ruleset.nft; }

for policy in *.teg; do
	golden "${policy%.teg}.nft" "$(ruleset "$policy")" "${policy%.teg}: the ruleset as a person reads it"
done
golden_done
