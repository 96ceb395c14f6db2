#!/bin/bash
# Certificates that their CA has revoked, from another host: unknown is never yes.
. tests/lib/live.bash

command -v openssl >/dev/null || { echo "1..0 # SKIP openssl is not installed"; exit 0; }
umask 077
openssl_q() { (cd $lab && openssl "$@" 2>$lab/openssl.log); }
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
ca() { openssl_q req -x509 $key -keyout $1.key -out $1.pem -days 9 -subj "/CN=${2:-$1}"; } # ca NAME [SUBJECT]
cert() { # cert NAME CA EXTENSIONS
	printf '%s\n' "$3" > $lab/$1.ext
	openssl_q req $key -keyout $1.key -out $1.csr -subj "/CN=$1"
	openssl_q x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -out $1.pem -days 9 -extfile $1.ext
}
client() { cert $1 $2 "extendedKeyUsage=clientAuth
authorityKeyIdentifier=keyid"; }
# crl CA OUT [REVOKED...]: WHEN and EXTENSION say more
crl() {
	local name=$1 out=$2 one

	shift 2
	mkdir -p $lab/db && : > $lab/db/index && echo 01 > $lab/db/number
	cat > $lab/db/conf <<-END
		[ca]
		default_ca = it
		[it]
		database = $lab/db/index
		crlnumber = $lab/db/number
		default_md = sha256
		crl_extensions = ext
		[ext]
		authorityKeyIdentifier = keyid
		${EXTENSION-}
	END
	for one; do openssl_q ca -config db/conf -cert $name.pem -keyfile $name.key -revoke $one.pem; done
	openssl_q ca -config db/conf -cert $name.pem -keyfile $name.key -gencrl ${WHEN:--crlhours 2} -out $out
}
ca servers; ca clients; ca strangers; ca twin clients
cert edge servers "subjectAltName=IP:10.9.0.1
extendedKeyUsage=serverAuth"
client ada clients; client eve clients; client joe twin
cert between clients "basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid"
client kim between
cat $lab/between.pem >> $lab/kim.pem
crl clients none.crl; crl clients eve.crl eve; crl twin twin.crl; crl between between.crl; crl between kim.crl kim
crl strangers strangers.crl; crl clients cut.crl between
WHEN="-crl_lastupdate 20200101000000Z -crl_nextupdate 20200102000000Z" crl clients over.crl
WHEN="-crl_lastupdate 20990101000000Z -crl_nextupdate 20990102000000Z" crl clients early.crl
EXTENSION="issuingDistributionPoint = critical, @idp
[idp]
onlyuser = TRUE" crl clients some.crl
is "$(grep -lc BEGIN.X509.CRL $lab/*.crl | wc -l)" 10 "there are lists"
tls="--listen 10.9.0.1:8443 --tls-cert $lab/edge.pem --tls-key $lab/edge.key --client-ca $lab/cas --client-cert-role viewer"
cat $lab/{clients,twin,between}.pem > $lab/cas

# --- what is refused before it begins
check() { "$BUILD/tegd" --check $tls "$@" 2>&1; }
holds "$("$BUILD/tegd" --check --tls-crl $lab/none.crl 2>&1)" "name their CA with client-ca" "a list needs a CA"
is "$(check --tls-crl $lab/none.crl)" "" "a list is read"
is "$(check --tls-crl $lab/over.crl)" "" "so is one whose time is over: it lets nobody in"
holds "$(check --tls-crl $lab/strangers.crl)" "tls-crl: list 1: no CA of client-ca has signed it" "one of another CA is not"
holds "$(check --tls-crl $lab/some.crl)" "tls-crl: list 1: it asks for more than a list of all that a CA has revoked (extension 2.5.29.28)" "nor one of some certificates only"
holds "$(check --tls-crl $lab/edge.pem)" "tls-crl: no list that can be read" "nor something else"
sed 's/^M/N/' $lab/eve.crl > $lab/spoilt.crl
holds "$(check --tls-crl $lab/spoilt.crl)" "tls-crl: " "nor what is spoilt"
cat $lab/none.crl $lab/strangers.crl > $lab/two.crl
holds "$(check --tls-crl $lab/two.crl)" "list 2: no CA" "every list of a file counts"

# --- who is let in
code() { outside curl -s -o $lab/body -w '%{http_code}' --max-time 5 --cacert $lab/servers.pem --cert $lab/$1.pem --key $lab/$1.key https://10.9.0.1:8443/api/tegumentar/status; }
answers() { local who; for who; do printf '%s ' "$(code $who)"; done; }
why() { code $1 >/dev/null; jq -r .detail $lab/body; }
over_http() { outside curl -s -o /dev/null --max-time 5 --cacert $lab/servers.pem --cert $lab/ada.pem --key $lab/ada.key https://10.9.0.1:8443/healthz; }
cat $lab/{eve,twin,between}.crl > $lab/now.crl
ok "tegd starts" tegd_start --engine nft $tls --tls-crl $lab/now.crl
is "$(answers ada eve joe kim)" "200 403 200 200 " "one is revoked"
is "$(why eve)" "its CA has revoked it" "which is said"
anew() { # anew LIST...: read anew by the next api
	local before
	before=$(pgrep -P $tegd_pid -f -- --role=api)
	(cd $lab && cat "$@" > now.crl)
	kill -HUP $tegd_pid
	local i
	for i in $(seq 200); do
		[ "$(pgrep -n -P $tegd_pid -f -- --role=api)" != "$before" ] && ctl status >/dev/null 2>&1 && ! kill -0 $before 2>/dev/null && return
		sleep 0.05
	done
	false
}
ok "SIGHUP: another list" anew none.crl twin.crl kim.crl
is "$(answers ada eve joe kim)" "200 200 200 403 " "by which others are revoked"
ok "a list of the CA between is not there" anew none.crl twin.crl
is "$(answers ada kim), $(why kim)" "200 403 , tls-crl has no list of its CA, so nothing says that it is not revoked" "what nothing is said of is refused"
ok "the CA between is revoked" anew cut.crl between.crl twin.crl
is "$(answers ada kim), $(why kim)" "200 403 , its CA has revoked it" "and all below it"
ok "a list of the same name by another key" anew twin.crl
is "$(answers joe ada)" "200 403 " "says nothing of what this key signed"
ok "a list whose time is over" anew over.crl
is "$(answers ada), $(why ada | cut -d: -f1)" "403 , the list of what its CA has revoked is of another time than now" "counts for nothing"
ok "nor one whose time has not begun" anew early.crl
is "$(answers ada)" "403 " "counts"
ok "beside one in time it does no harm" anew over.crl none.crl
is "$(answers ada)" "200 " "as it is not the only one"
ok "but what either revokes" anew eve.crl none.crl
is "$(answers ada eve)" "200 403 " "is revoked"
ok "the health of tegd is told as well as before" over_http
done_testing
