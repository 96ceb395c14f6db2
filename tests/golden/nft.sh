#!/bin/bash
# Every tests/golden/nft/X.teg has in X.nft what its bundle says of it as an nft ruleset. `rewrite` makes it anew.
set -u
cd "$(dirname "$0")/nft" && . ../../lib/golden.bash || exit 1

ruleset() { "$tegc" build -o "$bundle" "$1" 2>&1 && tar xOf "$bundle" nft/ruleset.nft; }

for policy in *.teg; do
	golden "${policy%.teg}.nft" "$(ruleset "$policy")" "${policy%.teg}: the ruleset as a person reads it"
done

# One port each, so many that a map of ranges would cost a packet too much: they are a map of values, and not a chain each.
ports() { printf 'zone w = "eth0"\nposture A {\n    default drop\n}\n' && seq 0 39999 | sed 's/.*/reflex r& {\n    match udp port & on w\n    do    drop\n}/'; }
ports >"$bundle.teg"
chains=$("$tegc" build --no-proofs -o "$bundle" "$bundle.teg" 2>/dev/null && tar xOf "$bundle" nft/ruleset.nft | grep -c '^	chain')
rm -f "$bundle.teg"
n=$((n + 1)) words="forty thousand ports, each with a rule of its own, are few chains"
if [ -n "$chains" ] && [ "$chains" -lt 100 ]; then echo "ok $n - $words"; else echo "not ok $n - $words: $chains"; fi
golden_done
