#!/bin/bash
# The API of a real tegd under a real policy and real traffic: what is applied, switched, counted and felt.
. tests/lib/live.bash

token=correct-horse-battery-staple
(umask 077; echo $token > $lab/token)
tcp=http://127.0.0.1:8765
post() { # post PATH TYPE CURL-ARGUMENT...
	curl -s -o $lab/body -w '%{http_code}' -H "Authorization: Bearer $token" -H "Content-Type: $2" -H "If-Match: ${base-*}" "${@:3}" "$tcp$1"
}
ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
metric() { ctl metrics | sed -n "s/^$1 //p"; }     # metric REGEX-OF-THE-SERIES

servers 22 80 8080
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/; s/port 80$/port [80, 8080]/'
ok "tegd starts" tegd_start --engine "${ENGINE:-native}" --listen 127.0.0.1:8765 --token-file $lab/token

# --- a policy by HTTP
is "$(post /api/tegumentar/policy application/octet-stream --data-binary @$lab/one.tegb)" 200 "a bundle is applied"
is "$(jq -r '.result, .generation, .posture' $lab/body | xargs)" "active 1 BALANCED" "and the answer says what is active"
is "$(curl -s -H "Authorization: Bearer $token" $tcp/readyz | jq -r .status)" ready "ready"
is "$(status '.policy.name, .interfaces[0].name, .interfaces[0].zone' | xargs)" "edge w0 wan" "status: policy and interface"
holds "$(ctl status)" "generation 1 is enforced, intact" "for a person"
head -c 20000 $lab/one.tegb > $lab/short.tegb
is "$(post /api/tegumentar/policy application/octet-stream --data-binary @$lab/short.tegb)" 422 "half a bundle is not"
is "$(jq -r '.result, .part, .generation' $lab/body | xargs)" "rejected seal 1" "says which part, and what goes on"
ok "tegctl ends with 2" ends 2 ctl apply $lab/short.tegb
bundle $lab/elsewhere.tegb 's/"w0"/"eth7"/'
ok "a bundle for another host: 2 or 69" bash -c 'case $1 in 2|69) ;; *) exit 1 ;; esac' - \
	"$(ctl apply $lab/elsewhere.tegb >/dev/null 2>&1; echo $?)"

# --- on which base
tag=$(status .tag)
is "$(curl -sD - -o /dev/null --unix-socket $lab/run/api.sock http://t/api/tegumentar/status | sed -n 's/^ETag: \(.*\)\r/\1/p')" "\"$tag\"" \
	"the tag of the generation is the status' ETag"
is "$tag" "1-$(status .policy.bundle | head -c 16)" "it is the number and the bundle"
is "$(base='"7-0123456789abcdef"' post /api/tegumentar/policy application/octet-stream --data-binary @$lab/two.tegb)" 412 "a bundle for another generation is refused"
holds "$(jq -r .detail $lab/body)" "\"$tag\" is in force" "which is told"
is "$(base='"7-0123456789abcdef"' post /api/tegumentar/posture application/json -d '{"posture":"LOCKDOWN"}')" 412 "and so is a posture"
is "$(status '.generation, .posture' | xargs)" "1 BALANCED" "nothing changed"
ok "tegctl says so with 75" ends 75 ctl apply $lab/two.tegb --if-match 7-0123456789abcdef
is "$(base="\"$tag\"" post /api/tegumentar/posture application/json -d '{"posture":"BALANCED"}')" 200 "on the right base it is done"

# --- a posture by HTTP
is "$(post /api/tegumentar/posture application/json -d '{"posture":"LOCKDOWN","reason":"caf\u00e9 scans"}')" 200 \
	"a posture is switched to"
is "$(status '.posture, .posture_reason')" "LOCKDOWN
café scans" "status says so, and why"
is "$(reaches 80)" shut "and so do packets"
is "$(metric 'tegumentar_posture{posture="LOCKDOWN"}')" 1 "and metrics"
ok "tegctl switches back" ends 0 ctl posture BALANCED --reason "all clear"
holds "$(cat $lab/said)" "posture BALANCED" "and says so"
holds "$(ctl posture)" "* BALANCED" "the active one is marked"
is "$(post /api/tegumentar/posture application/json -d '{"posture":"NOWHERE"}')" 422 "an unknown posture is refused"
holds "$(jq -r .detail $lab/body)" NOWHERE "by its name"
ok "by tegctl: 2" ends 2 ctl posture NOWHERE
is "$(status '.posture_until, .posture_next' | xargs)" null "a posture has no end of itself"
is "$(post /api/tegumentar/posture application/json -d '{"posture":"LOCKDOWN","duration_minutes":5}')" 200 \
	"a posture may have one"
is "$(status '(.posture_until | fromdate) - (.posture_since | fromdate), .posture_next' | xargs)" "300 BALANCED" "status says when, and what then"
ok "tegctl refuses a time without a unit" ends 64 ctl posture EXPLORE --for 30
ok "and takes one with" ends 0 ctl posture EXPLORE --for 8h
is "$(status '.posture, .posture_next, (.posture_until | fromdate) - (.posture_since | fromdate)' | xargs)" "EXPLORE BALANCED 28800" \
	"it goes back to the last one without an end"
holds "$(ctl status)" "then BALANCED" "for a person"
ok "a posture that would go back to itself is refused" ends 2 ctl posture BALANCED --for 5m
ok "asked again without an end" ends 0 ctl posture EXPLORE --reason "a try"
is "$(status '.posture_until, .posture_reason' | xargs)" "null a try" "it has none any more, and the reason is the new one"
ok "back" ends 0 ctl posture BALANCED

# --- counters and figures
before=$(metric 'tegumentar_rule_packets_total{id="BALANCED.ping",.*}')
outside ping -q -i 0.02 -c 100 10.9.0.1 >/dev/null
is "$(metric 'tegumentar_rule_packets_total{id="block.bogons",layer="block",verdict="drop",posture=""}')" 0 "no bogon yet"
outside ping -q -i 0.02 -c 50 -W 0.2 -I 203.0.113.5 10.9.0.1 >/dev/null
is "$(metric 'tegumentar_rule_packets_total{id="block.bogons",layer="block",verdict="drop",posture=""}')" 50 "50 bogons are counted"
is "$(metric 'tegumentar_rule_bytes_total{id="block.bogons",.*}' | awk '{ print ($1 >= 50 * 84) }')" 1 "with their bytes"
ok "pings are counted by their rule" [ "$(metric 'tegumentar_rule_packets_total{id="BALANCED.ping",.*}')" -gt "$before" ]
sleep 1.2
ctl qualia --json > $lab/felt
is "$(jq '[.pressure, .temperature, .pain, .vibration, .texture] | all(. >= 0 and . <= 1)' $lab/felt)" true "each figure is from 0 to 1"
is "$(jq '.raw.hostile_per_second > 3 and .pain > 0 and .pressure > 0.1 and .raw.rules_active >= 2' $lab/felt)" true \
	"they feel the bogons and the pings"
is "$(jq '. as $q | $q.raw | (.hostile_per_second / .packets_per_second * .hostile_per_second / (100 + .hostile_per_second) - $q.pain) | fabs < 0.001' \
	$lab/felt)" true "pain is what its formula says of the raw numbers"
holds "$(ctl qualia)" "pressure" "for a person"
ok "metrics as promtool likes them" promtool check metrics < <(ctl metrics)
is "$(ctl metrics | grep -v '^#' | sed 's/ [^ ]*$//' | sort | uniq -d)" "" "no series stands twice"

# --- a change under way does not hold up others
ok "a rollout goes by" bash -c "'$BUILD/tegctl' --socket $lab/run/api.sock apply $lab/two.tegb & for i in \$(seq 20); do
	curl -sf --max-time 0.5 --unix-socket $lab/run/api.sock http://t/healthz >/dev/null || exit 1; done; wait"
is "$(status '.generation, .policy.version' | xargs)" "2 2" "and is the second generation"

# --- somebody else's hand
nft delete table inet tegumentar 2>/dev/null || nft flush table inet tegumentar
is "$(curl -s -o $lab/body -w '%{http_code}' --unix-socket $lab/run/api.sock http://t/readyz)" 503 "a table that is gone: not ready"
ok "with the reason" jq -e '.reasons[0] | contains("nft") or contains("table")' $lab/body
is "$(metric tegumentar_intact)" 0 "not intact, say metrics"
holds "$(ctl status)" "not intact" "and tegctl"
done_testing
