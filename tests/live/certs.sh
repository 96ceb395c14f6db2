#!/bin/bash
# Roles by client certificate, from another host: whose names give which, and that everybody else has none.
. tests/lib/live.bash

command -v openssl >/dev/null || { echo "1..0 # SKIP openssl is not installed"; exit 0; }
ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
umask 077
openssl_q() { (cd $lab && openssl "$@" 2>/dev/null); }
ca() { openssl_q req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.pem -days 2 -subj "/CN=$1"; }
cert() { # cert NAME CA SUBJECT EXTENSIONS [OPENSSL-ARGUMENT...]
	printf '%s\n' "$4" > $lab/$1.ext
	openssl_q req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.csr -subj "$3" -utf8
	openssl_q x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -out $1.pem -days 2 -extfile $1.ext "${@:5}"
}
client() { cert "$1" clients "$2" "extendedKeyUsage=clientAuth${3:+
subjectAltName=$3}" "${@:4}"; } # client NAME SUBJECT [SAN] [OPENSSL-ARGUMENT...]
hex() { printf '%s' "$1" | od -An -tx1 | tr -d ' \n'; }
ca servers; ca clients; ca strangers
cert edge servers /CN=edge "subjectAltName=IP:10.9.0.1
extendedKeyUsage=serverAuth"
client ada "/O=Example/OU=net/CN=Ada Lovelace"
client zoe "/O=Example/CN=Zoë, ops" "email:Ops@example.net"
client metrics "/CN=metrics" "DNS:Metrics.Example.net,URI:spiffe://example.net/metrics"
client near-case "/O=Example/OU=net/CN=ada lovelace"
client near-order "/CN=Ada Lovelace/OU=net/O=Example"
client near-one "/CN=Ada Lovelace,OU=net,O=Example"
client near-host "/CN=metrics.example.net" "DNS:metrics.example.net.evil.org,DNS:*.example.net"
nul=82$(printf %02x 29)$(hex metrics.example.net)00$(hex .evil.org)
client near-nul "/CN=x" "DER:30$(printf %02x 31)$nul"
client old "/O=Example/OU=net/CN=Ada Lovelace" "" -days -1
cert other strangers "/O=Example/OU=net/CN=Ada Lovelace" "extendedKeyUsage=clientAuth"
is "$(openssl_q x509 -in near-nul.pem -noout -ext subjectAltName | grep -c evil)" 1 "a certificate with a NUL in its host's name"
"$BUILD/tegctl" token ops operator $lab/ops.token > $lab/tokens
"$BUILD/tegctl" token admin policy-admin $lab/admin.token >> $lab/tokens
cat > $lab/names <<-'END'
	# who is who
	policy-admin subject CN=Ada Lovelace,OU=net,O=Example
	operator     email   Ops@Example.net
	viewer       dns     metrics.example.net
END
tls="--listen 10.9.0.1:8443 --tls-cert $lab/edge.pem --tls-key $lab/edge.key --client-ca $lab/clients.pem --client-certs $lab/names"

# --- what is refused before it begins
check() { "$BUILD/tegd" --check "$@" 2>&1; }
is "$(check $tls)" "" "names in certificates need no token"
chmod 644 $lab/names
holds "$(check $tls)" "client-certs: $lab/names must be a file that only its owner may read" "others may not read them"
chmod 600 $lab/names
cp $lab/names $lab/wrong; echo 'operator subject CN=Ada, O=Example' >> $lab/wrong
holds "$(check $tls --client-certs $lab/wrong)" "client-certs: line 5: this subject is written CN=Ada,O=Example" "a line that could never be met"
printf 'viewer dns a\0b\n' > $lab/wrong
holds "$(check $tls --client-certs $lab/wrong)" "is not a text" "a NUL"

# --- who may what
ok "tegd starts" tegd_start --engine nft $tls
url=https://10.9.0.1:8443/api/tegumentar
code() { # code CERTIFICATE CURL-ARGUMENT...
	outside curl -s -o $lab/body -w '%{http_code}' --max-time 5 --cacert $lab/servers.pem ${1:+--cert $lab/$1.pem --key $lab/$1.key} "${@:2}"
}
detail() { jq -r '.detail, .try' $lab/body | xargs -d '\n'; }
may() { # may CERTIFICATE: look, switch a posture, replace the policy
	echo "$(code "$1" $url/status) $(code "$1" $url/posture --json '{"posture":"X"}') $(code "$1" $url/policy -H 'Content-Type: application/octet-stream' -H 'If-Match: *' --data x)"
}
is "$(may ada)" "200 409 422" "a policy-admin by subject"
is "$(may zoe)" "200 409 403" "an operator by email, whose host has no case"
is "$(may metrics)" "200 403 403" "a viewer by host, in which case has no meaning"
for who in case order one host nul; do
	is "$(may near-$who)" "403 403 403" "a near miss is nobody: $who"
done
code near-case $url/status >/dev/null
holds "$(detail)" "cert subject CN=ada lovelace,OU=net,O=Example [" "whose name is told, as a line must have it"
holds "$(detail)" "add a line for that name" "with the way out"
is "$(code near-case https://10.9.0.1:8443/healthz)" 200 "and who may ask whether it is alive"
is "$(code old $url/status) $(code other $url/status) $(code "" $url/status)" "403 403 403" "nor is one that is over, of another CA, or none"
code other $url/status >/dev/null
holds "$(detail)" "not one that holds" "which is told as well"
# Each route with each certificate: what a role must not have, it has not.
code ada https://10.9.0.1:8443/openapi.json >/dev/null
rank() { case $1 in anyone) echo 0 ;; viewer) echo 1 ;; operator) echo 2 ;; policy-admin) echo 3 ;; esac; }
jq -r '.paths | to_entries[] | .key as $path | .value | to_entries[] | select(.value["x-role"]) | [.key, $path, .value["x-role"], (.value.requestBody.content // {} | keys[0] // "-")] | @tsv' \
	$lab/body > $lab/routes
ok "the document has routes of every role" [ $(cut -f3 $lab/routes | sort -u | wc -l) = 4 ]
wrong=
while IFS=$'\t' read -r method path role type; do
	[ $method = get ] && how=-I || how="-X POST -H If-Match:* -d {}"
	[ $type = - ] || how="$how -H Content-Type:$type"
	for who in near-one:0 metrics:1 zoe:2 ada:3; do
		got=$(code ${who%:*} $how https://10.9.0.1:8443$path)
		[ $got = 403 ] && may=no || may=yes
		[ ${who#*:} -ge $(rank $role) ] && must=yes || must=no
		[ $got != 000 -a $may = $must ] || wrong="$wrong $method $path as ${who%:*}: $got"
	done
done < $lab/routes
is "$wrong" "" "each of $(wc -l < $lab/routes) routes with a certificate of each role"
ok "tegctl with a certificate alone" ends 0 outside "$BUILD/tegctl" --url https://10.9.0.1:8443 --ca $lab/servers.pem --cert $lab/zoe.pem --key $lab/zoe.key status
entry=$(jq -c 'select(.what == "apply")' $lab/state/audit.log | tail -1)
is "$(jq -r '.who, .from' <<< "$entry" | sed 's/\[.*\]/[…]/; s/:[0-9]*$//' | xargs)" \
	"cert subject CN=Ada Lovelace,OU=net,O=Example […] (policy-admin) 10.9.0.2" "the audit log has the name"
is "$(jq -r .who <<< "$entry" | sed 's/.*\[\(.*\)\].*/\1/')" \
	"$(openssl_q x509 -in ada.pem -outform DER | sha256sum | cut -c-16)" "and the certificate's digest"

# --- a token beside it
tegd_end TERM
ok "tegd starts, with tokens too" tegd_start --engine nft $tls --tokens $lab/tokens
bearer() { echo "Authorization: Bearer $(cat $lab/$1.token)"; }
with() { echo "$(code "$1" $url/status -H "$2") $(code "$1" $url/posture --json '{"posture":"X"}' -H "$2") $(code "$1" $url/policy -H 'Content-Type: application/octet-stream' -H 'If-Match: *' --data x -H "$2")"; }
is "$(with ada "$(bearer ops)")" "200 409 403" "the lesser of both: the token's"
is "$(with metrics "$(bearer admin)")" "200 403 403" "the lesser of both: the certificate's"
is "$(with ada "$(bearer admin)")" "200 409 422" "both"
is "$(with near-host "$(bearer admin)")" "403 403 403" "a token does not help who has no name"
is "$(with ada "Authorization: Bearer guessed") $(with ada "Authorization: Basic YWRh")" "401 401 401 401 401 401" "a token that is not known is nobody's, whoever shows it"
ok "the certificate, and the token beside it, in the log" grep -q '"who":"token ops, cert subject CN=Ada Lovelace,OU=net,O=Example \[................\] (operator)"' $lab/state/audit.log

# --- read anew
cat > $lab/names <<-'END'
	viewer   subject CN=Ada Lovelace,OU=net,O=Example
	operator uri     spiffe://example.net/metrics
	operator subject CN=Zoë\, ops,O=Example
END
kill -HUP $tegd_pid
becomes() { local i; for i in $(seq 100); do [ "$(may $1)" = "$2" ] && return; sleep 0.05; done; same "$(may $1)" "$2"; }
ok "SIGHUP: who was an admin looks" becomes ada "200 403 403"
is "$(may metrics)" "200 409 403" "by another of its names"
is "$(may zoe)" "200 409 403" "a name with a comma, and beyond ASCII"
echo 'viewer dns' >> $lab/names
kill -HUP $tegd_pid
ok "a file that is wrong is told" bash -c "for i in \$(seq 100); do grep -q 'client-certs: line 4: a line is' $lab/log && exit; sleep 0.05; done; false"
is "$(may metrics)" "200 409 403" "and what was read before goes on"

# --- a role for the rest
tegd_end TERM
rm $lab/names; : > $lab/names
ok "tegd starts with a role for every certificate" tegd_start --engine nft $tls --client-cert-role viewer
is "$(may near-case) / $(may old)" "200 403 403 / 403 403 403" "which must hold"
is "$(grep -c PRIVATE $lab/log)" 0 "no secret is in the log"
done_testing
