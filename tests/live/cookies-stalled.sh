#!/bin/bash
# A listener whose program accepts nobody, with SYN cookies: the kernel makes none, so SYNs over the rate go on, up to the rate of a reflex that drops.
. tests/lib/live.bash
. tests/lib/flood.bash
command -v hping3 >/dev/null || { echo "1..0 # SKIP needs hping3"; exit 0; }

ip -n outside link set dev c0 xdpdrv object "$BUILD/bpf/anchor.bpf.o" section xdp
ip route add default via 10.9.0.2 dev w0 # to where the forged sources are
echo 1 >/proc/sys/net/ipv4/tcp_syncookies
cat >$lab/edge.teg <<'POLICY'
policy edge { version "1" }
zone wan = "w0"
reflex syn_flood {
    match tcp flags syn/syn+ack to self port 80 on wan
    when  rate > 20/s
    do    cookies
}
reflex syn_most {
    match tcp flags syn/syn+ack to self port 80 on wan
    when  rate > 100/s
    do    drop
}
posture OPEN {
    default drop
    default out allow
    web: allow tcp to self port 80
}
POLICY
"$BUILD/tegc" build $lab/edge.teg -o $lab/edge.tegb || { echo "Bail out! tegc cannot build the policy"; exit 1; }
python3 -c 'import socket, time; s = socket.create_server(("", 80), backlog=4); time.sleep(1000)' &
until ss -Hltn "sport = 80" | grep -q .; do sleep 0.02; done
ok "tegd starts" tegd_start --engine "${ENGINE:-native}" --bundle $lab/edge.tegb
outside python3 -c 'import socket, time; held = [socket.create_connection(("10.9.0.1", 80), 10) for i in range(5)]; time.sleep(1000)' &
waiting() { ss -Hltn "sport = 80" | awk '{ print $2 }'; }
ok "five clients, and none is accepted" soon 5 waiting
before=$(cat /proc/sys/net/netfilter/nf_conntrack_count)
flood 10.9.0.1 60
ok "of a flood the reflex behind drops what is over its own rate" soon 1 eval '[ "$(counter reflex.syn_most)" -gt 1000 ]; echo $((! $?))'
kill $flooding; wait $flooding 2>/dev/null
is "$(counter reflex.syn_flood)" 0 "the one that does cookies has let all by"
ok "connection tracking has seen few of them" less "$(counter reflex.syn_most)" $(($(cat /proc/sys/net/netfilter/nf_conntrack_count) - before))
done_testing
