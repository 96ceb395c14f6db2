#!/bin/bash
# A SYN that is answered with a cookie on arrival is told no larger segments than the interface takes: over a link of a small MTU, clients whose own
# is larger send all they have, in XDP and TC, over IPv4 and IPv6.
. tests/lib/live.bash
. tests/lib/cookies.bash

# A veth takes what XDP sends back when it has a program itself.
[ -e $cards ] || ip -n outside link set dev c0 xdpdrv object "$BUILD/bpf/anchor.bpf.o" section xdp
head -c 300000 /dev/zero >$lab/much
cat >$lab/server.py <<'PYTHON'
import socket
listener = socket.create_server(("", 80), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    client, _ = listener.accept()
    came = 0
    while data := client.recv(65536):
        came += len(data)
    client.sendall(b"%d" % came)
    client.close()
PYTHON
cat >$lab/client.py <<'PYTHON'
import socket, sys
with socket.create_connection((sys.argv[1], 80), 10) as s:
    most = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    s.sendall(open(sys.argv[2], "rb").read())
    s.shutdown(socket.SHUT_WR)
    print(most, s.recv(100).decode())
PYTHON
python3 $lab/server.py &
until ss -Hltn "sport = 80" | grep -q .; do sleep 0.02; done
sends() { outside python3 $lab/client.py "$1" $lab/much 2>&1 | tail -1; }
for engine in native generic tc; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/cookies.tegb
	is "$(reaches 80)" open "$engine: what is within the rate passes"
	is "$(sends 10.9.0.1), $(sends fd00:9::1)" "1460 300000, 1440 300000" "$engine: of 1,500 bytes, the client's own MSS, and all comes"
	ip link set w0 mtu 1300
	is "$(sends 10.9.0.1), $(sends fd00:9::1)" "1260 300000, 1240 300000" "$engine: of 1,300 bytes, what has room in them"
	ip link set w0 mtu 1500
	is "$(counter reflex.syn_flood)" 4 "$engine: each was answered with a cookie"
	tegd_end TERM
	forget
done
done_testing
