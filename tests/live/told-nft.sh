#!/bin/bash
# The same events where nft judges on arrival, through the kernel's packet log.
ENGINE=nft
. tests/lib/told.bash

# --- a drop that nobody asked for is bounded too, and no loss
: > $lab/heard
before=$(told lost_rate)
outside timeout 1 hping3 -q --icmp --flood -a 203.0.113.5 10.9.0.1 >/dev/null 2>&1
sleep 0.5
n=$(heard '.by == "block.bogons"' | wc -l)
ok "of a flood that a block drops $n packets are told" [ "$n" -ge 50 -a "$n" -le 500 ]
is "$(told lost_rate)" "$before" "the others are no loss: nobody asked"

# --- readers that stop
deafen
kill -STOP $tegd_pid
udp 53 300
udp 7 300 0
kill -CONT $tegd_pid
sleep 0.5
ok "with the warden stopped, the log keeps what it has room for, and the rest is counted" [ $(($(told lost_rate) + $(told lost_full))) -gt "$before" ]
ok "somebody listens again" listen
udp 53 1
ok "and hears on" comes '.by == "reflex.dns_seen"'

# --- rollouts and restarts
ok "a rollout" ctl apply $lab/plain.tegb
pings 10.9.0.1 -I 203.0.113.5 >/dev/null
ok "tells on, and says which generation" comes '.by == "block.bogons" and .generation == 2'
ok "and back" ctl apply $lab/told.tegb
deafen
tegd_end KILL
ok "tegd is started anew" tegd_start --engine nft
is "$(status '.adopted, .intact' | xargs)" "adopted true" "adopting what it finds"
ok "somebody listens" listen
udp 53 1
ok "and it tells on" comes '.by == "reflex.dns_seen" and .generation == 3'
deafen

# --- the log is another's
tegd_end TERM
python3 - >$lab/bound <<-'PY' &
import socket, struct, time
log = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
log.bind((0, 0))
log.send(struct.pack("=IHHIIBBHHHBBBB", 28, 4 << 8 | 1, 5, 1, 0, 0, 0, socket.htons(29799), 5, 1, 1, 0, 0, 0))
print("bound", flush=True)
time.sleep(300)
PY
theirs=$!
for i in $(seq 200); do grep -q bound $lab/bound && break; sleep 0.05; done
ok "tegd starts where another process has the packet log" tegd_start --engine nft
holds "$(told source)" "not heard" "and says that it hears nothing"
is "$(pings 10.9.0.1 -I 203.0.113.5) $(status .intact)" "silent true" "and judges"
kill $theirs
done_testing
