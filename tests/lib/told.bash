# What is told on arrival, by whichever engine ENGINE names: the kinds of events, samples and floods. For tests/live/told*.sh.
. tests/lib/live.bash
mac=$(ip -j link show w0 | jq -r '.[0].address')
more='
reflex null_scan {
    match tcp flags none/all
    do    drop, emit high
}

reflex dns_seen {
    match udp port 53
    do    emit low
}

reflex beat {
    match udp port 9
    do    emit medium sample 1/20
}

reflex many {
    match udp port 7
    do    drop, emit critical
}
'
bundle $lab/plain.tegb
told_bundle() { # told_bundle OUT [SED-SCRIPT]
	{ sed "${2-}" tests/live/edge.teg; echo "$more"; } > $lab/told.teg
	"$BUILD/tegc" build $lab/told.teg -o "$1"
}
told_bundle $lab/told.tegb || { echo "Bail out! tegc cannot build the policy"; exit 1; }
heard() { jq -c "select(.event == \"reflex\" or .event == \"drop\") | .data | select($1)" $lab/heard; } # heard FILTER
comes() { local i; for i in $(seq 300); do [ -n "$(heard "$1")" ] && return; sleep 0.05; done; echo "want: $1"; tail -5 $lab/heard; false; } # comes FILTER: soon
listen() { : > $lab/heard; "$BUILD/tegctl" --socket $lab/run/api.sock watch --json >> $lab/heard 2>&1 & listener=$!; for i in $(seq 100); do grep -q qualia $lab/heard && return; sleep 0.05; done; false; }
deafen() { kill $listener; wait $listener 2>/dev/null; }
udp() { # udp PORT COUNT [PAUSE-SECONDS]
	outside python3 -c '
import socket, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    out.sendto(b"x", ("10.9.0.1", int(sys.argv[1])))
    time.sleep(float(sys.argv[3]))
' "$1" "$2" "${3-0.0005}"
}
told() { status ".events.$1"; }
sent() { ctl counters --json | jq ".rules[] | select(.id == \"$1\") | .packets"; }


says() { case $ENGINE in nft) echo nft ;; tc) echo tc ;; *) echo xdp ;; esac; }
ok "tegd takes a policy whose reflexes emit" tegd_start --engine $ENGINE --bundle $lab/told.tegb
is "$(told source)" "$(says)" "and says who tells"
ok "somebody listens" listen

# --- each kind
outside tests/lib/frame.py c0 "$mac" short-tcp4 >/dev/null
pings 10.9.0.1 -I 203.0.113.5 >/dev/null
outside hping3 -q -p 23 -c 1 -M 1 10.9.0.1 >/dev/null 2>&1
udp 53 1
ok "a drop by a block" comes '.by == "block.bogons" and .verdict == "drop" and .source == "203.0.113.5" and .destination == "10.9.0.1" and .protocol == "icmpv4" and .icmp_type == 8'
ok "has interface, posture, generation" comes '.by == "block.bogons" and .interface == "w0" and .posture == "BALANCED" and .generation == 1'
ok "the frame's length, and how it begins" comes '.by == "block.bogons" and .length == 98 and (.head | length == 192) and (.head[24:28] == "0800")'
ok "a time of now" comes ".by == \"block.bogons\" and (.time[0:19] + \"Z\" | fromdate) - now < 2 and now - (.time[0:19] + \"Z\" | fromdate) < 10"
ok "what could not be read, by its cause" comes '.by == "malformed.short-l4" and .verdict == "drop" and .source == "10.9.0.2"'
ok "a reflex by the policy's own name" comes '.event == "reflex.null_scan" and .severity == "high" and .verdict == "drop" and .destination_port == 23 and .flags == "none"'
ok "a reflex that only tells: the packet goes on" comes '.event == "reflex.dns_seen" and .severity == "low" and .verdict == "goes-on" and .destination_port == 53'
is "$(heard '.by == "reflex.dns_seen"' | wc -l)" 1 "and is told once"
is "$(jq -r 'select(.data.by == "reflex.dns_seen") | .event' $lab/heard)" reflex "as a reflex"
is "$(jq -r 'select(.data.by == "block.bogons") | .event' $lab/heard)" drop "what nobody asked for is a drop"
is "$(ctl counters --json | jq -r '.rules[] | select(.id == "reflex.dns_seen") | .verdict')" goes-on "and decides nothing, as the counters say"
outside hping3 -q -S -p 81 -c 60 -i u1000 -a 10.9.0.3 10.9.0.1 >/dev/null 2>&1
ok "who is blocked from then on" comes '.by == "reflex.syn_flood" and .blocks_source and .source == "10.9.0.3"'
ok "and what a block then drops" comes '.by == "blocked" and .event == null and .source == "10.9.0.3"'
says_to_people() { # says_to_people TEXT: of the packets since it listens, one at least
	local i watch
	"$BUILD/tegctl" --socket $lab/run/api.sock watch >$lab/people & watch=$!
	for i in $(seq 100); do udp 53 1; grep -qF "$1" $lab/people && break; sleep 0.1; done
	kill $watch; wait $watch 2>/dev/null
	has "$(cat $lab/people)" "$1"
}
ok "tegctl watch says it to people" says_to_people "goes-on reflex.dns_seen, low: udp 10.9.0.2 port "

# --- one of so many
: > $lab/heard
udp 9 3000 0.001
sleep 0.5
n=$(heard '.by == "reflex.beat"' | wc -l)
is "$(sent reflex.beat)" 3000 "each of 3000 packets is counted"
ok "of which one of twenty is told, within four standard deviations: $n" [ "$n" -ge 110 -a "$n" -le 190 ]
[ $ENGINE = nft ] || is "$(($(heard '.by == "reflex.beat"' | jq -s 'map(.packets) | add') > 2700))" 1 "and each says how many it stands for"

# --- a flood
: > $lab/heard
lost=$(told lost_rate)
outside timeout 2 hping3 -q -2 -p 7 --flood 10.9.0.1 >/dev/null 2>&1
sleep 0.5
n=$(heard '.by == "reflex.many"' | wc -l) all=$(sent reflex.many)
ok "of a flood of $all packets $n are told" [ "$n" -ge 100 -a "$n" -le $((170 * 4 * $(nproc))) ]
ok "and the others are counted as lost" [ $(($(told lost_rate) - lost)) -ge $((all - n - 100)) ]
is "$(told lost_full)" 0 "there was room for each"
udp 53 1
ok "after it a packet is told at once" comes '.by == "reflex.dns_seen"'

