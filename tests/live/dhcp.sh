#!/bin/bash
# A host keeps the address that it has by DHCP: with the lifeline of docs/language.md what the server says comes to the client, whether that
# reads frames or has a socket, in the tightest posture; without, in none that drops it.
. tests/lib/live.bash

bundle $lab/without.tegb
bundle $lab/with.tegb 's!^lifeline {!&\n    dhcp: udp from any port 67 to any port 68\n    dhcpv6: udp from [fe80::/10, ff02::1:2] port 547 to any port 546!'
ip -n outside addr add fe80::67/64 dev c0 nodad

cat >$lab/offer.py <<'PYTHON'
import socket, sys
# offer.py: a server's word to the client's port, over IPv4 to the host and to everybody, and over IPv6
for family, here, to in ((socket.AF_INET, ("10.9.0.2", 67), ("10.9.0.1", 68)), (socket.AF_INET, ("10.9.0.2", 67), ("255.255.255.255", 68)),
                         (socket.AF_INET6, ("fe80::67", 547, 0, socket.if_nametoindex("c0")), (sys.argv[1], 546, 0, socket.if_nametoindex("c0")))):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"c0")
    s.bind(here)
    s.sendto(b"offer", to)
PYTHON
cat >$lab/heard.py <<'PYTHON'
import os, select, socket, sys
# heard.py READY DONE: which offers come until then, to who reads frames and to who has a socket
frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
frames.bind(("w0", 0))
v4, v6 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
v4.bind(("", 68)), v6.bind(("", 546))
names, count = {frames: "frames", v4: "v4", v6: "v6"}, {"frames": 0, "v4": 0, "v6": 0}
open(sys.argv[1], "w").close()
done = False
while not done:
    done = os.path.exists(sys.argv[2])
    while ready := select.select(list(names), [], [], 0.1)[0]:
        for s in ready:
            count[names[s]] += s.recv(2048).endswith(b"offer")
print(count["frames"], count["v4"], count["v6"])
PYTHON
link_local() { ip -6 -o addr show dev w0 scope link | sed -n 's/.*inet6 \([^/]*\).*/\1/p'; }
heard() { # heard: by the reader of frames, the sockets of IPv4 and IPv6
	rm -f $lab/ready $lab/sent
	python3 $lab/heard.py $lab/ready $lab/sent >$lab/got &
	local reader=$!
	until [ -e $lab/ready ]; do sleep 0.02; done
	outside python3 $lab/offer.py "$(link_local)"
	touch $lab/sent
	wait $reader
	cat $lab/got
}
until [ -n "$(link_local)" ] && ! ip -6 addr show dev w0 | grep -q tentative; do sleep 0.1; done

for engine in native tc nft; do
	ok "$engine: tegd starts without the lifeline" tegd_start --engine $engine --bundle $lab/without.tegb
	ok "$engine: LOCKDOWN" ctl posture LOCKDOWN # which ends the flows that there are
	case $engine in native) want="0 0 0" ;; *) want="3 0 0" ;; esac
	is "$(heard)" "$want" "$engine: it drops what the server says, and XDP before who reads frames"
	ok "$engine: BALANCED" ctl posture BALANCED
	is "$(heard)" "3 0 0" "$engine: drops it by default"
	ok "$engine: LOCKDOWN again" ctl posture LOCKDOWN
	ok "$engine: with the lifeline" ctl apply $lab/with.tegb
	is "$(heard)" "3 2 1" "$engine: all of it comes, in LOCKDOWN too"
	is "$(python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.9.0.1', 68))
try: print(s.sendto(b'request', ('10.9.0.2', 67)))
except PermissionError: print('refused')")" 7 "$engine: and the client's request goes out"
	tegd_end TERM
	nft flush ruleset
	rm -rf $lab/state $lab/bpf/teg
done
done_testing
