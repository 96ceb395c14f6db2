#!/bin/bash
# The list of system calls refuses nothing that is needed: everything tegd does, traced, with XDP, with TC and with nft.
# With `older`, as on a kernel without newer calls: what C libraries do instead is not refused either.
. tests/lib/live.bash
command -v strace >/dev/null || { echo "1..0 # SKIP strace is not installed (apt-get install strace)"; exit 0; }
ldd "$BUILD/tegd" | grep -q libasan && { echo "1..0 # SKIP the sanitizers' runtime traces too"; exit 0; }

bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/'
openssl req -x509 -newkey rsa:2048 -nodes -keyout $lab/key.pem -out $lab/cert.pem -days 1 -subj /CN=edge \
	-addext subjectAltName=IP:127.0.0.1 2>/dev/null
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > $lab/token
chmod 600 $lab/token $lab/key.pem
for program in tegctl tegc; do ln -s "$(realpath "$BUILD/$program")" $lab/$program; done
# -D: tegd is the process that the test started, and strace its grandchild.
[ "${1-}" = older ] && older="python3 $PWD/tests/lib/older_kernel.py" missing=$($older --calls) || older= missing=clone3
printf '#!/bin/bash\nexec strace -D -f -qq -e signal=none -e status=failed -o $lab/failed.$$ %s "%s" "$@"\n' "$older" "$(realpath "$BUILD/tegd")" > $lab/tegd
chmod +x $lab/tegd
export lab
BUILD=$lab

refused() { grep -hE '= -1 (ENOSYS|EPERM)|SIGSYS' $lab/failed.* | grep -vE "($missing)\(|syscall_0x" | sed 's/^[0-9]* *//' | sort -u; }
served_anew() { # by another api
	local i before
	before=$(pgrep -P $tegd_pid -f -- --role=api)
	kill -HUP $tegd_pid
	for i in $(seq 100); do
		sleep 0.05
		[ "$(pgrep -P $tegd_pid -f -- --role=api)" != "$before" ] && ctl status >/dev/null 2>&1 && return
	done
	false
}
everything() { # everything ENGINE: what a day brings
	rm -rf $lab/failed.* $lab/state $lab/bpf/teg
	nft flush ruleset
	local flags="--engine $1 --token-file $lab/token --tls-cert $lab/cert.pem --tls-key $lab/key.pem --listen 127.0.0.1:9443 --drift-seconds 1"
	ok "$1: tegd starts, with TLS" tegd_start $flags
	ok "$1: apply" ctl apply $lab/one.tegb
	ok "$1: apply, to be confirmed" ctl apply $lab/two.tegb --confirm 60s
	ok "$1: cancel" ctl cancel
	ok "$1: apply, to be confirmed" ctl apply $lab/two.tegb --confirm 60s
	ok "$1: confirm" ctl confirm
	ok "$1: rollback" ctl rollback
	ok "$1: posture, for a time" ctl posture LOCKDOWN --for 1m --reason drill
	ok "$1: and back" ctl posture BALANCED
	ok "$1: block" ctl block 203.0.113.5 --for 5m
	is "$(reaches 80 10.9.0.1; pings 10.9.0.1)" "$(printf 'shut\nanswered')" "$1: packets"
	ok "$1: who is blocked" ctl block
	ok "$1: unblock" ctl unblock 203.0.113.5
	ok "$1: what is counted" ctl metrics
	ok "$1: history" ctl history
	ok "$1: an old bundle" sh -c "$lab/tegctl --socket $lab/run/api.sock bundle 1 > $lab/old"
	ok "$1: over TLS" sh -c "curl -fsS --cacert $lab/cert.pem -H \"Authorization: Bearer \$(cat $lab/token)\" https://127.0.0.1:9443/healthz"
	nft delete chain inet tegumentar "$(nft list chains inet | sed -n 's/.*chain \(._hook_out\) .*/\1/p')"
	ok "$1: drift is put right" soon 1 status .drift.repaired
	ok "$1: SIGHUP" served_anew
	tegd_end TERM
	ok "$1: it starts again" tegd_start $flags
	is "$(status .adopted)" adopted "$1: and adopts"
	tegd_end KILL
	ok "$1: and after a crash" tegd_start $flags
	nft flush ruleset
	tegd_end TERM
	ok "$1: and after a boot" tegd_start $flags
	is "$(status '.adopted, .intact' | xargs)" "restored true" "$1: and restores"
	tegd_end TERM
	ok "$1: the list was in force" grep -q 'clone3.*ENOSYS' $lab/failed.*
	[ -z "$older" ] || ok "$1: the C library asked for others that are not there" grep -q 'rseq.*ENOSYS' $lab/failed.*
	is "$(refused)" "" "$1: and nothing else was refused"
}
everything native
everything tc
everything nft
done_testing
