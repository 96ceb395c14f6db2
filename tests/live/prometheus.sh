#!/bin/bash
# A real Prometheus scrapes a real tegd, as the shipped job says: over loopback with a token, and over TLS with a certificate alone.
. tests/lib/live.bash

command -v prometheus >/dev/null || { echo "1..0 # SKIP prometheus is not installed"; exit 0; }
command -v openssl >/dev/null || { echo "1..0 # SKIP openssl is not installed"; exit 0; }
umask 077
key() { openssl req "$@" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes 2>/dev/null; }
key -x509 -keyout $lab/ca.key -out $lab/ca.pem -days 2 -subj /CN=ca
for who in "edge serverAuth" "prometheus clientAuth"; do
	set -- $who
	key -keyout $lab/$1.key -out $lab/$1.csr -subj /CN=$1
	printf 'subjectAltName=DNS:%s.example.net,IP:127.0.0.1\nextendedKeyUsage=%s\n' $1 $2 > $lab/ext
	openssl x509 -req -in $lab/$1.csr -CA $lab/ca.pem -CAkey $lab/ca.key -CAcreateserial -out $lab/$1.pem -days 2 -extfile $lab/ext 2>/dev/null
done
"$BUILD/tegctl" token prometheus viewer $lab/prometheus.token > $lab/tokens
echo "viewer dns prometheus.example.net" > $lab/names
bundle $lab/one.tegb 's|^initial posture|feed bad {\n    url "https://feeds.example/bad"\n    format netset\n    refresh 15m\n    max 10\n    stale after 1h keep\n    action block\n}\n\ninitial posture|'

scraper=
scrape() { # scrape SED-SCRIPT: Prometheus with the shipped job, altered
	sed "s|/usr/share/tegumentar/monitoring|$PWD/enforcer/monitoring|; s|/etc/prometheus/tegumentar.token|$lab/prometheus.token|; $1" \
		enforcer/monitoring/prometheus.yml > $lab/prometheus.yml
	printf 'global: { scrape_interval: 500ms, evaluation_interval: 500ms }\n' >> $lab/prometheus.yml
	prometheus --config.file=$lab/prometheus.yml --storage.tsdb.path=$lab/data --web.listen-address=127.0.0.1:9090 --log.level=warn > $lab/prometheus.log 2>&1 &
	scraper=$!
}
query() { curl -sG http://127.0.0.1:9090/api/v1/query --data-urlencode "query=$1" | jq -r '.data.result[0].value[1] // "none"'; }
becomes() { # becomes QUERY VALUE: within 20 s
	local i
	for i in $(seq 100); do [ "$(query "$1" 2>/dev/null)" = "$2" ] && return; sleep 0.2; done
	echo "$1: $(query "$1"), not $2"; tail -3 $lab/prometheus.log
	curl -s http://127.0.0.1:9090/api/v1/targets | jq -r '.data.activeTargets[].lastError'
	false
}
target() { curl -s http://127.0.0.1:9090/api/v1/targets | jq -r ".data.activeTargets[0].$1"; }

ok "tegd starts" tegd_start --engine nft --bundle $lab/one.tegb --listen 127.0.0.1:8765 --tokens $lab/tokens
scrape ""
ok "Prometheus scrapes it" becomes 'up{job="tegumentar"}' 1
is "$(target lastError)" "" "without a complaint"
ok "the generation arrives" becomes tegumentar_generation 1
ok "and the posture" becomes 'tegumentar_posture{posture="BALANCED"}' 1
outside ping -q -c 20 -i 0.01 -W 0.1 -I 203.0.113.5 10.9.0.1 >/dev/null 2>&1
ok "a rule's packets are those that tegctl tells" becomes 'tegumentar_rule_packets_total{id="block.bogons"}' "$(counter block.bogons)"
ok "which are not none" [ "$(counter block.bogons)" -ge 20 ]
known=$(sed -n 's/^METRIC([A-Z_]*, *"\([a-z_]*\)".*/\1/p' enforcer/api/routes/metric.def | sort | xargs)
seen() { curl -s http://127.0.0.1:9090/api/v1/label/__name__/values | jq -r '.data[] | select(startswith("tegumentar_"))' | sort | xargs; }
all_seen() { local i; for i in $(seq 60); do [ "$(seen)" = "$known" ] && return; sleep 0.2; done; same "$(seen)" "$known"; }
ok "every metric arrives, and no other" all_seen
rules() { curl -s http://127.0.0.1:9090/api/v1/rules | jq -r "[.data.groups[].rules[] | select(.health $1 \"ok\")] | length"; }
all_evaluated() { local i; for i in $(seq 60); do [ "$(rules '!=')" = 0 ] && [ "$(rules '==')" -gt 10 ] && return; sleep 0.2; done; rules '!='; false; }
ok "every alert can be evaluated" all_evaluated
is "$(curl -s http://127.0.0.1:9090/api/v1/alerts | jq -r '[.data.alerts[] | select(.state == "firing") | .labels.alertname] | join(" ")')" "" "and none fires"
ctl posture LOCKDOWN >/dev/null
ok "another posture is seen" becomes 'tegumentar_posture{posture="LOCKDOWN"}' 1
tegd_end KILL
ok "that tegd is gone, too" becomes 'up{job="tegumentar"}' 0
kill $scraper; wait $scraper 2>/dev/null

ok "tegd starts with TLS, and names in certificates" tegd_start --engine nft --listen 127.0.0.1:8765 --tls-cert $lab/edge.pem --tls-key $lab/edge.key \
	--client-ca $lab/ca.pem --client-certs $lab/names
scrape "s|^    authorization:.*|    scheme: https\n    tls_config: { ca_file: $lab/ca.pem, cert_file: $lab/prometheus.pem, key_file: $lab/prometheus.key }|"
ok "Prometheus scrapes it with its certificate, without a token" becomes 'up{job="tegumentar"}' 1
ok "and gets the same" becomes 'tegumentar_posture{posture="LOCKDOWN"}' 1
kill $scraper; wait $scraper 2>/dev/null
done_testing
