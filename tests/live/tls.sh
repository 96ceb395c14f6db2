#!/bin/bash
# The API over TLS, from another host: who is served, who is not, and who is too fast or too slow.
. tests/lib/live.bash

command -v openssl >/dev/null || { echo "1..0 # SKIP openssl is not installed"; exit 0; }
cd_lab() { (cd $lab && "$@"); }
ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
ca() { cd_lab openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.pem -days 2 -subj "/CN=$1" 2>/dev/null; }
cert() { # cert NAME CA EXTENSIONS [OPENSSL-ARGUMENT...]
	cd_lab openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.csr -subj "/CN=$1" 2>/dev/null
	printf '%s\n' "$3" > $lab/$1.ext
	cd_lab openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -out $1.pem -days 2 -extfile $1.ext "${@:4}" 2>/dev/null
}
umask 077
ca servers; ca clients; ca strangers
cert edge servers "subjectAltName=IP:10.9.0.1
extendedKeyUsage=serverAuth"
cert ops clients "extendedKeyUsage=clientAuth"
cert server-only clients "extendedKeyUsage=serverAuth"
cert other strangers "extendedKeyUsage=clientAuth"
cert old clients "extendedKeyUsage=clientAuth" -days -1
"$BUILD/tegctl" token ops operator $lab/ops.token > $lab/tokens
tls="--listen 10.9.0.1:8443 --tokens $lab/tokens --tls-cert $lab/edge.pem --tls-key $lab/edge.key"

# --- what is refused before it begins
check() { "$BUILD/tegd" --check "$@" 2>&1; }
holds "$(check --listen 10.9.0.1:8443 --tokens $lab/tokens)" "name a certificate" "another address than loopback needs a certificate"
is "$(check $tls)" "" "and may be, with one"
holds "$(check $tls --tls-key $lab/ops.key)" "tls-cert and tls-key" "a key of another certificate is refused"
chmod 644 $lab/edge.key
holds "$(check $tls)" "chmod 600" "so is a key that others may read"
chmod 600 $lab/edge.key
echo nothing > $lab/nothing.pem
holds "$(check $tls --client-ca $lab/nothing.pem)" "client-ca" "and a CA that is none"

# --- TLS
ok "tegd serves TLS on another address" tegd_start --engine nft $tls --rate-limit 100
timed() { outside bash -c "exec 3<>/dev/tcp/10.9.0.1/8443; $1; timeout 40 cat <&3 >/dev/null; echo \$SECONDS"; } # until it is cut off
timed : > $lab/silent & silent=$!
timed 'trap "" PIPE; printf "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" >&3; for i in $(seq 40); do printf a >&3 || break; sleep 1; done 2>/dev/null' > $lab/trickle & trickle=$!
url=https://10.9.0.1:8443
remote() { outside "$BUILD/tegctl" --url $url --token-file $lab/ops.token --ca $lab/servers.pem "$@"; }
code() { outside curl -s -o $lab/body -w '%{http_code}' --max-time 5 --cacert $lab/servers.pem "$@"; }
ok "tegctl from another host" ends 0 remote status
ok "an operator may act there (there is no policy: 75)" ends 75 remote posture BALANCED
is "$(code $url/api/tegumentar/status)" 401 "without a token nothing is told"
ok "who does not know the CA does not speak to it: 69" ends 69 outside "$BUILD/tegctl" --url $url --token-file $lab/ops.token status
ok "nor when another CA would be right: 69" ends 69 outside "$BUILD/tegctl" --url $url --token-file $lab/ops.token --ca $lab/strangers.pem status
ok "the token never goes there in the clear: 64" ends 64 outside "$BUILD/tegctl" --url http://10.9.0.1:8443 --token-file $lab/ops.token status
is "$(code http://10.9.0.1:8443/healthz)" 000 "plain HTTP is not answered"
is "$(code --tls-max 1.1 $url/healthz)" 000 "nor is TLS 1.1"
is "$(code --tls-max 1.2 $url/healthz)" 200 "TLS 1.2 is"
is "$(code --tls-max 1.2 --ciphers AES128-SHA:AES256-SHA:AES128-GCM-SHA256 $url/healthz)" 000 "but without forward secrecy it is not"
felt=$(outside curl -sN --max-time 2.5 --cacert $lab/servers.pem -H "Authorization: Bearer $(cat $lab/ops.token)" $url/api/tegumentar/events | grep -c '^event: qualia')
ok "events come over TLS" [ "$felt" -ge 2 ]

# --- too fast
sleep 2.5
outside curl -s -D $lab/heads -w '%{http_code}\n' --cacert $lab/servers.pem -H 'Authorization: Bearer guess' \
	$(for i in {1..12}; do echo -o /dev/null $url/readyz; done) > $lab/codes
is "$(sort $lab/codes | uniq -c | awk '{ printf "%s:%s ", $2, ($2 == 429 ? ($1 >= 4) : ($1 >= 4)) }')" "401:1 429:1 " "who guesses tokens is slowed down"
is "$(curl -s -o /dev/null -w '%{http_code}' --cacert $lab/servers.pem -H "Authorization: Bearer $(cat $lab/ops.token)" $url/api/tegumentar/status)" 200 \
	"and another address is not"
is "$(grep -ci '^Retry-After: 1' $lab/heads)" "$(grep -c 429 $lab/codes)" "429 says when to come again"
sleep 4.2
ok "and then it is served" ends 0 remote status

# --- too slow
wait $silent $trickle
is "$(awk '{ print ($1 >= 14 && $1 <= 24) }' $lab/silent $lab/trickle | xargs)" "1 1" "a handshake that does not begin, or goes on for ever, is cut off: after 15 s of silence, after 20 s at latest"

# --- certificates of clients
tegd_end TERM
ok "tegd wants certificates" tegd_start --engine nft $tls --client-ca $lab/clients.pem
with() { remote --cert $lab/$1.pem --key $lab/$1.key "${@:2}"; }
ok "one that the CA signed" ends 0 with ops status
ok "none: 77" ends 77 remote status
holds "$(cat $lab/said)" "client certificate is needed" "which is told"
ok "another CA's: 77" ends 77 with other status
ok "one that is over: 77" ends 77 with old status
ok "one that is for servers: 77" ends 77 with server-only status
is "$(code $url/healthz)" 403 "not even health without one"
is "$(code --cert $lab/ops.pem --key $lab/ops.key $url/readyz)" 401 "a certificate is no token"
ok "the Unix socket wants none" ctl status
is "$(grep -c -e PRIVATE -e "$(cat $lab/ops.token)" $lab/log)" 0 "no secret is in the log"
api=$(pgrep -P $tegd_pid -f -- --role=api)
is "$(grep -ac "$(sed -n 2p $lab/edge.key)" /proc/$api/environ /proc/$api/cmdline | cut -d: -f2 | sort -u)" 0 "nor in an environment or a command line"
done_testing
