#!/bin/bash
# The API's OpenAPI document against the live API, as a public tool reads both: Prism's validating
# proxy (npm install -g @stoplight/prism-cli) refuses what the document does not say of a request or an answer.
. tests/lib/live.bash

command -v prism >/dev/null || { echo "1..0 # SKIP prism is not installed (npm install -g @stoplight/prism-cli)"; exit 0; }
(umask 077; echo correct-horse-battery-staple > $lab/token)
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/'
ok "tegd starts" tegd_start --engine nft --bundle $lab/one.tegb --listen 127.0.0.1:8765 --token-file $lab/token
curl -sf http://127.0.0.1:8765/openapi.json > $lab/openapi.json
HOME=$lab prism proxy $lab/openapi.json http://127.0.0.1:8765 --errors --port 4010 > $lab/prism.log 2>&1 &
prism=$!
for i in $(seq 300); do curl -s -o /dev/null http://127.0.0.1:4010/healthz && break; sleep 0.1; done

# asked METHOD PATH [CURL-FLAG...]: "STATUS", and what Prism finds against the document
asked() {
	local status

	status=$(curl -s -X "$1" -o $lab/body -D $lab/head -w '%{http_code}' --max-time 20 \
		-H "Authorization: Bearer $(cat $lab/token)" "${@:3}" "http://127.0.0.1:4010$2")
	grep -i '^sl-violations' $lab/head
	grep -o '"type":"https://stoplight.io/prism/errors[^}]*' $lab/body
	[ "$status" = 200 ] || echo "# $(head -c 300 $lab/body)" >&2
	echo "$status"
}
json() { asked POST "$1" -H 'Content-Type: application/json' --data "$2" "${@:3}"; }
# Prism hands bodies on as text, so no bundle comes through it whole: what is refused then is refused as the document says.
sent() { asked POST "$1" -H 'Content-Type: application/octet-stream' --data-binary @$lab/two.tegb "${@:2}"; }

sleep 2.2
for path in $(jq -r '.paths | to_entries[] | select(.value.get) | .key' $lab/openapi.json); do
	case $path in */events) continue ;; esac # a stream has no end that a validator could wait for
	is "$(asked GET $path)" 200 "GET $path"
done
is "$(json /api/tegumentar/posture '{"posture":"LOCKDOWN","reason":"a try","duration_minutes":5}')" 200 "a posture for a time"
is "$(json /api/tegumentar/posture '{"posture":"BALANCED"}')" 200 "and back"
is "$(json /api/tegumentar/posture '{"posture":"NONSENSE"}')" 422 "one that is not there, as the document says"
is "$(json /api/tegumentar/blocks '{"sources":["192.0.2.9"],"duration_minutes":1}')" 200 "a block"
is "$(asked GET /api/tegumentar/blocks)" 200 "the blocks"
is "$(json /api/tegumentar/blocks/remove '{"sources":["192.0.2.9"]}')" 200 "no block"
is "$(sent /api/tegumentar/plan)" 422 "what is no bundle has no plan"
is "$(sent /api/tegumentar/policy -H 'If-Match: *')" 422 "and is no policy"
ok "a second generation" ctl apply $lab/two.tegb
is "$(asked GET /api/tegumentar/history)" 200 "its history"
is "$(json /api/tegumentar/bundle '{"generation":1}')" 200 "the bundle of a generation"
is "$(json /api/tegumentar/rollback '{"generation":1,"confirm_seconds":60}' -H 'If-Match: *')" 200 "a rollback that waits to be confirmed"
is "$(asked POST /api/tegumentar/confirm -H 'If-Match: *')" 422 "which the connection that Prism keeps open cannot be"
is "$(asked POST /api/tegumentar/cancel -H 'If-Match: *')" 200 "and is cancelled"
is "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:4010/api/tegumentar/status)" 401 "without a token"
holds "$(json /api/tegumentar/posture '{"posture":7}')" prism/errors "Prism does validate: a number is no posture"
kill $prism
done_testing
