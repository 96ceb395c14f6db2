#!/bin/bash
# The OpenAPI document is served, is one, and the API does what it says: asked rightly and wrongly, over both doors.
. tests/lib/live.bash

python3 -c 'import jsonschema' 2>/dev/null || { echo "1..0 # SKIP python3-jsonschema is not installed"; exit 0; }
(umask 077; echo correct-horse-battery-staple > $lab/token)
bundle $lab/one.tegb
conform() { # conform STATE
	python3 tests/lib/openapi.py $lab/run/api.sock http://127.0.0.1:8765 $lab/token > $lab/claims 2> $lab/claims.err
	is "$?: $(tail -1 $lab/claims.err)" "0: " "$1: all of it was asked"
	while IFS=$'\t' read -r claim wrong; do is "$wrong" "" "$1: $claim"; done < $lab/claims
}
ok "tegd starts without a policy" tegd_start --engine nft --listen 127.0.0.1:8765 --token-file $lab/token
conform "no policy"
ok "with a policy" ctl apply $lab/one.tegb
sleep 2.2
conform "a policy"
is "$(jq '[.paths[] | length] | add' <(curl -s http://127.0.0.1:8765/openapi.json))" "$(grep -c '^ROUTE' enforcer/api/routes/routes.def)" "each row of routes.def is in it"
done_testing
