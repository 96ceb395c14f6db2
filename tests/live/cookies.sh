#!/bin/bash
# A web server under a flood of forged SYNs: its queue is full, SYNs over the rate are answered with cookies on arrival, and clients get through.
. tests/lib/live.bash
. tests/lib/flood.bash

command -v nginx >/dev/null && command -v hping3 >/dev/null || { echo "1..0 # SKIP needs nginx and hping3"; exit 0; }

gets() { # gets FAMILY ADDRESS: how many of five requests are answered
	local i got=0
	for i in 1 2 3 4 5; do
		[ "$(outside curl -s "-$1" --max-time 10 "http://$2/")" = hello ] && got=$((got + 1))
	done
	echo $got
}
stat_of() { nstat -asz "$1" | awk -v name="$1" '$1 == name { print $2 }'; }

# A veth takes what its peer's program sends back when it has a program itself.
ip -n outside link set dev c0 xdpdrv object "$BUILD/bpf/anchor.bpf.o" section xdp
ip route add default via 10.9.0.2 dev w0 # to where the forged sources are
mkdir $lab/web && echo hello >$lab/web/index.html
web_conf
ok "a web server, whose queue has 64 places" nginx -c $lab/nginx.conf
cat >$lab/edge.teg <<'POLICY'
policy edge { version "1" }
zone wan = "w0"
reflex syn_flood {
    match tcp flags syn/syn+ack to self port 80 on wan
    when  rate > 20/s
    do    cookies, emit high sample 1/100
}
posture OPEN {
    default drop
    default out allow
    web: allow tcp to self port 80
}
test "what is over is not let by, here where nobody listens" {
    posture OPEN
    21 * (tcp 198.51.100.7:40000 -> self:80 syn on wan) => last drop by syn_flood
}
POLICY
"$BUILD/tegc" build $lab/edge.teg -o $lab/edge.tegb || { echo "Bail out! tegc cannot build the policy"; exit 1; }
ok "tegd starts" tegd_start --engine "${ENGINE:-native}" --bundle $lab/edge.tegb
tried=1
linux_before 6.1 && tried=0
is "$(status .cookies) $(status .policy.tests.run)" "on arrival $tried" "status says who answers; a test of it was tried in a kernel that may be asked"
is "$(gets 4 10.9.0.1) $(gets 6 '[fd00:9::1]')" "5 5" "without a flood clients are served"
is "$(counter reflex.syn_flood) $(stat_of TcpExtSyncookiesRecv)" "0 0" "by the server alone: no cookie came back"

ctl watch --json >$lab/events 2>/dev/null &
flood 10.9.0.1 60
full() { ss -Htn state syn-recv | wc -l | awk '{ print ($1 >= 60) }'; }
ok "under a flood the queue is full" soon 1 full
is "$(gets 4 10.9.0.1) $(gets 6 '[fd00:9::1]')" "5 5" "and clients are served"
kill $flooding; wait $flooding 2>/dev/null
ok "the reflex has counted the flood" more 300 "$(counter reflex.syn_flood)"
ok "cookies came back from clients" more 0 "$(stat_of TcpExtSyncookiesRecv)"
ok "the stack made few of them: they were answered before it" less $(($(counter reflex.syn_flood) / 5)) "$(stat_of TcpExtSyncookiesSent)"
is "$(counter invalid)" 0 "nothing was invalid to connection tracking"
ok "connection tracking has hardly seen the flood" less $(($(counter reflex.syn_flood) / 2)) "$(cat /proc/sys/net/netfilter/nf_conntrack_count)"
is "$(jq -rs 'map(.data // . | select(.answered)) | length > 0' $lab/events)" true "events say that SYNs were answered"
echo 0 >/proc/sys/net/ipv4/tcp_syncookies
is "$(status .cookies)" "nobody: net.ipv4.tcp_syncookies is 0, or not there" "and when nobody can"
echo 1 >/proc/sys/net/ipv4/tcp_syncookies
sed -i 's/, emit.*//' $lab/edge.teg
"$BUILD/tegc" build $lab/edge.teg -o $lab/quiet.tegb
tegd_end TERM
ok "tegd starts again, where nft judges" tegd_start --engine nft --bundle $lab/quiet.tegb
is "$(status .cookies)" "the listener's own cookies, behind connection tracking: nft judges" "it says who answers there"
flood 10.9.0.1 60
is "$(gets 4 10.9.0.1) $(gets 6 '[fd00:9::1]')" "5 5" "and clients are served"
kill $flooding; wait $flooding 2>/dev/null
nginx -s stop -c $lab/nginx.conf 2>/dev/null
done_testing
