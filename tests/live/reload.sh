#!/bin/bash
# SIGHUP: tokens, certificates and settings are read anew; no connection is refused or cut, and no packet notices.
. tests/lib/live.bash
bundle $lab/one.tegb

port=9443
certificate() { # certificate SERIAL: a self-signed one
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -set_serial "$1" -subj /CN=localhost \
		-keyout $lab/tls.key -out $lab/tls.pem 2>/dev/null
	chmod 600 $lab/tls.key
}
token() { # token NAME: a line of the tokens file, and the token in $lab/NAME
	head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > $lab/"$1"
	echo "$1 viewer $(tr -d '\n' < $lab/"$1" | sha256sum | cut -c1-64)"
}
asks() { curl -sk -m 3 -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $(cat $lab/"$1")" https://127.0.0.1:$port/api/tegumentar/status; }
serial() { openssl s_client -connect 127.0.0.1:$port </dev/null 2>/dev/null | openssl x509 -noout -serial; }
api_pids() { pgrep -P $tegd_pid -f -- --role=api | xargs; }
soon() { # soon COMMAND...: it succeeds within five seconds
	local i
	for i in $(seq 100); do "$@" && return; sleep 0.05; done
	false
}
reloads() { grep -c "certificates are read anew" $lab/log; }
reloaded() { [ "$(reloads)" = "$1" ]; }
hup() { kill -HUP $tegd_pid; }
alone() { [ "$(api_pids | wc -w)" = 1 ]; }

certificate 17
token alice > $lab/tokens
chmod 600 $lab/tokens
ok "tegd starts" tegd_start --engine native --bundle $lab/one.tegb --listen 127.0.0.1:$port --tokens $lab/tokens \
	--tls-cert $lab/tls.pem --tls-key $lab/tls.key
first=$(api_pids)
is "$(asks alice) $(serial)" "200 serial=11" "a token and a certificate are known"
coproc python3 tests/lib/keepalive.py $lab/run/api.sock
kept() { echo >&"${COPROC[1]}"; read -r -t 5 line <&"${COPROC[0]}"; echo "$line"; }
is "$(kept)" "200 stays" "a connection is open"

# Meanwhile: somebody asks all the time, each time over a new connection, and from outside a server is reached.
(while :; do curl -s -m 3 -o /dev/null -w '%{http_code}\n' --unix-socket $lab/run/api.sock http://x/api/tegumentar/status; done > $lab/codes) &
asker=$!
nsenter --net=/run/netns/outside ping -i 0.002 -q 10.9.0.1 > $lab/pings &
pinger=$!
token bob > $lab/tokens
certificate 18
ok "SIGHUP" hup
ok "the change is told" soon reloaded 1
is "$(asks alice) $(asks bob) $(serial)" "401 200 serial=12" "the old token is not known any more; the new one is, and the new certificate"
is "$(kept)" "200 close" "the connection that was open is answered, and told to come again"
ok "the api before ends" soon alone
ok "and is another" [ "$(api_pids)" != "$first" ]

# What is wrong is not taken.
echo "no line of tokens" > $lab/tokens
ok "SIGHUP with tokens that cannot be read" hup
ok "it is told" soon grep -q "certificates are not read anew" $lab/log
is "$(asks bob)" 200 "and what was read before holds"
holds "$(ctl audit show 2>/dev/null || cat $lab/state/audit.log)" '"reload"' "the audit log tells of reloads"
token carol > $lab/tokens
for _ in 1 2 3; do hup; done
at_least() { [ "$(reloads)" -ge "$1" ]; }
ok "three at once end too" soon at_least 2
is "$(asks carol)" 200 "with what was there last"
ok "and leave one api" soon alone
kill $asker
wait $asker 2>/dev/null
is "$(sort -u $lab/codes | xargs)" 200 "no connection was refused or cut all the while ($(wc -l < $lab/codes) of them)"
kill -INT $pinger; wait $pinger 2>/dev/null
holds "$(cat $lab/pings)" " 0% packet loss" "and no packet was lost"
is "$(status '.generation, .intact' | xargs)" "1 true" "the generation did not notice"
done_testing
