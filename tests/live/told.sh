#!/bin/bash
# Packets that are dropped, or that reflexes tell of, come out as events of XDP; what is lost is counted, whoever stops reading.
ENGINE=native
. tests/lib/told.bash

# --- what the programs alone tell
ok "a drop says how many packets it stands for" comes '.by == "reflex.dns_seen" and .packets >= 1'
outside hping3 -q -S -p 81 -c 60 -i u1000 -a 10.9.0.3 10.9.0.1 >/dev/null 2>&1
ok "what a block drops, with who placed it" comes '.by == "blocked" and .blocked_by == "reflex.syn_flood"'
ctl posture LOCKDOWN >/dev/null
udp 99 1
ok "a switch keeps the ring: what the closed posture drops" comes '.by == "LOCKDOWN.default.in" and .posture == "LOCKDOWN" and .destination_port == 99'
ctl posture BALANCED >/dev/null

# --- readers that stop
deafen
lost=$(told lost_rate)
kill -STOP $tegd_pid
udp 7 500
kill -CONT $tegd_pid
ok "with the warden stopped, what it could not read is lost, and counted" [ $(($(told lost_rate) - lost)) -ge 400 ]
ok "somebody listens again" listen
api=$(pgrep -P $tegd_pid -f -- --role=api)
kill -STOP "$api"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do for port in 7 53 9; do udp $port 40; done; done
kill -CONT "$api"
ok "with the api stopped, the warden does not wait" [ "$(status .intact)" = true ]
ok "and counts what was not taken" [ "$(told lost_slow)" -gt 0 ]
holds "$(ctl status)" "too slow)" "status says it to people"
is "$(ctl metrics | awk '/^tegumentar_packet_events_lost_total/ { n += $NF > 0 } END { print n }')" 2 "the metrics tell both"
holds "$(ctl top | head -4)" "events of packets told" "top too"

# --- a ring that is full: nobody reads it, and ticks go on all the same, as where a hundred processors fill it
full=$(told lost_full) all=$(told told) before=$(sent reflex.many)
coproc TICKS { exec tests/lib/ticks.py "$(pinned teg_active)"; }
read -r going <&"${TICKS[0]}"
is "$going" going "ticks go on"
kill -STOP $tegd_pid
udp 7 12000 0.0003
is "$(pings 10.9.0.1 -I 203.0.113.5) $(pings 10.9.0.1)" "silent answered" "while the ring is full, packets are judged as before"
kill -CONT $tegd_pid
exec {TICKS[1]}>&-
is "$(($(sent reflex.many) - before))" 12000 "all of 12,000 were dropped, and counted"
ok "what the ring had no room for is counted" [ "$(told lost_full)" -gt "$full" ]
is "$(ctl metrics | awk '/^tegumentar_packet_events_lost_total/ && /where="ring"/ { print $NF }')" "$(told lost_full)" "the metrics tell it"
holds "$(ctl status)" "lost ($(told lost_full) no room" "and status, to people"
ok "what it had room for was told: $(($(told told) - all))" [ $(($(told told) - all)) -ge 5000 ]
: >$lab/heard
udp 53 1
ok "and it tells on" comes '.by == "reflex.dns_seen"'

# --- starts and rollouts
deafen
before=$(told told)
tegd_end KILL
udp 53 3
ok "tegd is started anew" tegd_start --engine "${ENGINE:-native}"
ok "what was told meanwhile, and before, is counted" [ "$(told told)" -gt "$before" ]
ok "somebody listens" listen
udp 53 1
ok "and it tells on" comes '.by == "reflex.dns_seen" and .generation == 1'
ok "a rollout" ctl apply $lab/plain.tegb
pings 10.9.0.1 -I 203.0.113.5 >/dev/null
ok "keeps the ring, and says which generation" comes '.by == "block.bogons" and .generation == 2'
deafen

done_testing
