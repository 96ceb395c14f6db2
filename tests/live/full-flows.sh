#!/bin/bash
# Connection tracking that is full: the kernel drops new flows before layer 4, whoever they are; flows that it knows go on. That is told, counted, and an event.
. tests/lib/live.bash

bundle $lab/edge.tegb
servers 22 80
metric() { ctl metrics | sed -n "s/^tegumentar_flows$1 //p"; } # metric [_WHAT]
flows() { status ".flows.$1"; }
more_than() { [ "$1" -gt "$2" ]; }
full() { [ "$(flows full_since)" = null ] && echo room || echo full; }

ok "tegd starts" tegd_start --engine native
is "$(status .flows), $(metric)" "null, " "without a policy nothing is said of flows"
ok "a policy" ctl apply $lab/edge.tegb
most=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
if [ "$most" = 0 ] || [ "$most" -gt 1100000 ]; then
	echo "ok $((said + 1)) # SKIP this kernel's connection tracking takes $most flows: too many to fill it"
	said=$((said + 1))
	done_testing
fi
timeout 120 curl -sN --unix-socket $lab/run/api.sock http://t/api/tegumentar/events > $lab/events &

is "$(reaches 80), $(reaches 22)" "open, open" "there is room: a server and a lifeline are reached"
is "$(flows most), $(metric _max)" "$most, $most" "how many flows there may be is told"
ok "and how many there are" more_than "$(flows count)" 0
is "$(full), $(metric _full), $(flows dropped), $(metric _dropped_packets_total)" "room, 0, 0, 0" "and that there is room"
holds "$(ctl status)" "of at most $most" "tegctl says so"
# A flow that is known before.
mkfifo $lab/say
outside bash -c 'exec 3<>/dev/tcp/10.9.0.1/80; while read -r line; do echo "$line" >&3; done' < $lab/say &
exec 4>$lab/say
sent() { ss -Htin state established 'sport = 80' | sed -n 's/.*bytes_received:\([0-9]*\).*/\1/p' | sort -n | tail -n 1; }
echo one >&4
ok "a flow begins, and is heard" soon 4 sent

# --- full of flows that may be ended
tests/lib/fill_flows.py $((most + 1000))
is "$(full)" full "full of flows that had no answer, it is full"
is "$(reaches 80)" open "new ones are let by all the same"
ok "since others end for them" more_than "$(flows evicted)" 0
is "$(flows dropped)" 0 "and nothing is dropped"
tests/lib/fill_flows.py end
is "$(full), $(metric _full)" "room, 0" "when they are gone there is room"

# --- full of flows that may not
echo two >&4
ok "the flow goes on" soon 8 sent
tests/lib/fill_flows.py $((most + 1000)) assured
is "$(full), $(metric _full)" "full, 1" "full of flows that had, it is full"
is "$(reaches 80), $(reaches 22)" "shut, shut" "new flows are not let by, a lifeline's neither"
ok "which is counted" more_than "$(flows dropped)" 0
is "$(metric _dropped_packets_total)" "$(flows dropped)" "as a metric too"
holds "$(ctl status)" "FULL SINCE" "tegctl says that it is full"
holds "$(ctl status)" "raise net.netfilter.nf_conntrack_max" "and what to do"
is "$(status '.intact')" true "what is live is what was applied"
echo three >&4
ok "a flow that it knows goes on" soon 14 sent
tegd_end TERM
ok "tegd starts again" tegd_start --engine native
is "$(full)" full "and sees it"
timeout 120 curl -sN --unix-socket $lab/run/api.sock http://t/api/tegumentar/events >> $lab/events &
tests/lib/fill_flows.py end
is "$(full), $(reaches 80)" "room, open" "when they are gone there is room, and new flows are let by"
ok "what was dropped stays counted" more_than "$(flows dropped)" 0
tests/lib/fill_flows.py $((most + 1000)) assured
ok "without anybody asking it is seen too" soon full eval 'tail -n 1 $lab/log | grep -q "is full" && echo full'
tests/lib/fill_flows.py end
ok "and its end" soon room eval 'tail -n 1 $lab/log | grep -q "has room again" && echo room'
told() { grep -h '"what":"flows"' $lab/events | sed 's/.*"result":"\([a-z]*\)".*/\1/' | tail -n 4 | xargs; }
ok "whoever listens was told of each beginning and end" soon "failed done failed done" told
holds "$(ctl audit --last 30)" "connection tracking is full, with" "and the audit log"
done_testing
