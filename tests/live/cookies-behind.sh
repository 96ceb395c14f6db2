#!/bin/bash
# A web server behind the edge under a flood of forged SYNs: layer 4 answers those over the rate in the server's place, and clients get through, whatever judges on arrival.
. tests/lib/live.bash
. tests/lib/flood.bash

command -v nginx >/dev/null && command -v hping3 >/dev/null || { echo "1..0 # SKIP needs nginx and hping3"; exit 0; }

ip netns add server
server() { nsenter --net=/run/netns/server "$@"; }
ip link add s0 type veth peer name e0 netns server
ip addr add 10.20.0.1/24 dev s0
ip addr add fd00:20::1/64 dev s0 nodad
ip link set s0 up
ip -n server addr add 10.20.0.2/24 dev e0
ip -n server addr add fd00:20::2/64 dev e0 nodad
ip -n server link set lo up
ip -n server link set e0 up
ip -n server route add default via 10.20.0.1
ip -n server -6 route add default via fd00:20::1
ip -n outside route add 10.20.0.0/24 via 10.9.0.1
ip -n outside -6 route add fd00:20::/64 via fd00:9::1
ip route add default via 10.9.0.2 dev w0 # to where the forged sources are
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
mkdir $lab/web && head -c 300000 /dev/urandom >$lab/web/large && echo hello >$lab/web/index.html
web_conf
server sysctl -qw net.ipv4.tcp_syncookies=0 # it has nobody but the edge
serve() { [ ! -e $lab/nginx.pid ] || { kill "$(cat $lab/nginx.pid)"; while [ -e $lab/nginx.pid ]; do sleep 0.05; done; }; server nginx -c $lab/nginx.conf; } # with an empty queue
serve

gets() { # gets FAMILY ADDRESS [SECONDS]: how many of five requests are answered, within so many
	local i got=0
	for i in 1 2 3 4 5; do
		[ "$(outside curl -s "-$1" --max-time "${3-10}" "http://$2/")" = hello ] && got=$((got + 1))
	done
	echo $got
}
large() { outside curl -s --max-time 30 http://10.20.0.2/large | cmp - $lab/web/large; }
calm() { kill $flooding; wait $flooding 2>/dev/null; }
half_open() { server ss -Htn state syn-recv | wc -l; }
entries() { cat /proc/sys/net/netfilter/nf_conntrack_count; }

cat >$lab/edge.teg <<'POLICY'
policy edge { version "1" }
zone wan = "w0"
zone dmz = "s0"
net servers = [10.20.0.2, fd00:20::2]
posture OPEN {
    default drop
    established recheck
    web: allow forward tcp on wan to servers port 80
}
POLICY
"$BUILD/tegc" build $lab/edge.teg -o $lab/plain.tegb
cat >>$lab/edge.teg <<'POLICY'
reflex syn_flood {
    match tcp flags syn/syn+ack to servers port 80 on wan
    when  rate > 12/s
    do    cookies, emit high sample 1/100
}
POLICY
"$BUILD/tegc" build $lab/edge.teg -o $lab/edge.tegb || { echo "Bail out! tegc cannot build the policy"; exit 1; }

ok "tegd starts" tegd_start --engine nft --bundle $lab/plain.tegb
is "$(gets 4 10.20.0.2)" 5 "without a flood clients are served"
flood 10.20.0.2 60
sleep 2
ok "under one the server's queue is full" less 3 "$(gets 4 10.20.0.2 3)"
ok "and connection tracking of half-open flows" more 1000 "$(entries)"
calm

server sysctl -qw net.ipv4.tcp_synack_retries=1 # what comes within the rate is soon forgotten
for engine in nft native; do
	ok "$engine: a policy that does cookies for it" ctl apply $lab/edge.tegb
	is "$(nft list chains | grep -c 'hook_cookies {')" 1 "$engine: is behind everybody's filters"
	holds "$(status .cookies)" "layer 4" "$engine: status says who answers"
	serve
	is "$(gets 4 10.20.0.2) $(gets 6 '[fd00:20::2]')" "5 5" "$engine: without a flood clients are served"
	is "$(counter reflex.syn_flood)" 0 "$engine: by the server alone"
	outside bash -c "exec 3<>/dev/tcp/10.20.0.2/80; sleep 5; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3" >$lab/held &
	held=$!
	flood 10.20.0.2 60
	before=$(entries) half=$(half_open)
	is "$(gets 4 10.20.0.2) $(gets 6 '[fd00:20::2]')" "5 5" "$engine: under a flood too"
	ok "$engine: the flood is answered and counted" more 300 "$(counter reflex.syn_flood)"
	ok "$engine: and comes to the server no faster than the rate" less 64 $(($(half_open) - half))
	ok "$engine: nor to connection tracking" less 300 $(($(entries) - before))
	ok "$engine: a cookie's flow carries 300,000 bytes" large
	wait $held
	ok "$engine: a flow that was open before goes on" grep -q hello $lab/held
	ok "$engine: what the posture drops is not answered" bash -c '! nsenter --net=/run/netns/outside timeout 1 nc -z 10.20.0.2 22'
	ok "$engine: a rollout under the flood" ctl apply $lab/edge.tegb
	is "$(gets 4 10.20.0.2) $(nft list chains | grep -c 'hook_cookies {')" "5 1" "$engine: answers on"
	calm
	is "$(status .intact)" true "$engine: all is as it was made"
	nft flush chain inet tegumentar "$(nft list chains inet | sed -n 's/.*chain \([ab]_hook_cookies\) .*/\1/p')"
	holds "$(status .fault)" "the hook of SYN cookies leads elsewhere" "$engine: a hook that somebody empties is noticed"
	ok "$engine: a policy without" ctl apply $lab/plain.tegb
	is "$(nft list chains | grep -c cookies)" 0 "$engine: has none"
	tegd_end TERM
	rm -rf $lab/state $lab/bpf/teg
	nft flush ruleset
	[ $engine = native ] || tegd_start --engine native --bundle $lab/plain.tegb
done
echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose
tegd_start --engine nft --bundle $lab/edge.tegb
holds "$(status .cookies)" "nf_conntrack_tcp_loose is 0" "status says when nobody can"
done_testing
