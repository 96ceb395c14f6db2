#!/bin/bash
# A bridge, on every engine: w0 is its port, and the host's addresses stand on the bridge. A zone that names the port judges before
# the bridge, also what is bridged on to a third; one that names the bridge judges what comes up to this host.
. tests/lib/live.bash
ip link add br0 type bridge 2>$lab/said || { echo "1..0 # SKIP this kernel has no bridges: $(cat $lab/said)"; exit 0; }
ip netns add inside
ip link add w9 type veth peer name i0 netns inside
ip addr flush dev w0
ip link set w0 master br0
ip link set w9 master br0
for link in br0 w9; do ip link set $link up; done
ip addr add 10.9.0.1/24 dev br0
ip addr add fd00:9::1/64 dev br0 nodad
ip route replace 203.0.113.0/24 dev br0
ip -n inside addr add 10.9.0.9/24 dev i0
ip -n inside link set i0 up
ip -n inside route add 203.0.113.0/24 dev i0
# Where br_netfilter is loaded, and says so, the bridge asks layer 4 of what it hands on.
asks_layer4() { for ip in ip ip6; do echo $1 2>$lab/said >/proc/sys/net/bridge/bridge-nf-call-${ip}tables || return; done; }
asks_layer4 0
until [ "$(pings 10.9.0.9)" = answered ]; do sleep 0.1; done

servers 22 80 8080
bundle $lab/port.tegb
bundle $lab/bridge.tegb 's/"w0"/"br0"/'

judged() { # judged WORDS: bogons are blocked; ping and the web pass
	local before

	before=$(counter block.bogons)
	is "$(reaches 80) $(reaches 80 fd00:9::1)" "open open" "$1: an admitted service is reached through the bridge"
	is "$(reaches 8080)" shut "$1: another is not"
	is "$(pings 10.9.0.1)" answered "$1: ping passes"
	is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "$1: a blocked source is cut"
	is "$(($(counter block.bogons) - ${before:-0}))" 1 "$1: and counted once, by the block's id"
}
bridged() { # bridged WORDS VERDICT: what the bridge hands on without asking this host's stack
	is "$(pings 10.9.0.9)" answered "$1: what is admitted is bridged on"
	is "$(pings 10.9.0.9 -I 203.0.113.5)" $2 "$1: that of a blocked source is $3"
}

declare -A named=([native]=xdp-native [generic]=xdp-generic [tc]=tc [nft]=nft)
for engine in native generic tc nft; do
	ok "$engine: tegd starts with a zone that is a port of a bridge" tegd_start --engine $engine --bundle $lab/port.tegb
	is "$(status '.interfaces[] | .name + " " + .engine')" "w0 ${named[$engine]}" "$engine: judges on the port"
	judged "$engine, the port"
	bridged "$engine, the port" silent "cut"
	asks_layer4 1 && is "$(pings 10.9.0.9)" silent "$engine, the port: with br_netfilter layer 4 judges it as forwarded, too"
	asks_layer4 0
	ok "$engine, the port: to a closed posture" ctl posture LOCKDOWN
	[ $engine = nft ] && closed=answered || closed=silent
	is "$(reaches 80) $(reaches 22) $(pings 10.9.0.9)" "shut open $closed" \
		"$engine, the port: what is for this host is dropped but for lifelines; what is bridged on is $closed, as the page says"
	tegd_end TERM
	forget
done
named[auto]=xdp-generic
for engine in auto generic tc nft; do
	ok "$engine: tegd starts with a zone that is a bridge" tegd_start --engine $engine --bundle $lab/bridge.tegb
	[ $engine = auto ] && reason="the driver has no native XDP" || reason="asked for"
	is "$(status '.interfaces[] | .name + " " + .engine + ": " + .reason')" "br0 ${named[$engine]}: $reason" "$engine: judges on the bridge, and says why"
	judged "$engine, the bridge"
	bridged "$engine, the bridge" answered "not seen"
	tegd_end TERM
	forget
done
# --- both, or one of them
of() { outside ping -i 0.01 -W 2 -c "$1" -q 10.9.0.1 2>/dev/null | sed -n 's/.* \([0-9]*\) received.*/\1/p'; } # of COUNT PINGS: how many are answered
rated='$a reflex many { match icmp echo to self on wan\n when rate per source > 4 per 1h\n do drop }'
on_wan='s/self port 80$/self port 80 on wan/'
bundle $lab/port.tegb "$on_wan; $rated"
bundle $lab/both.tegb "s/\"w0\"/[\"w0\", \"br0\"]/; $on_wan; $rated"
for engine in auto tc nft; do
	ok "$engine: tegd starts with a zone of the port" tegd_start --engine $engine --bundle $lab/port.tegb
	is "$(of 6)" 4 "$engine: a rate is asked on the port"
	is "$(reaches 80)" shut "$engine: layer 4 knows the bridge alone, which is of no zone"
	tegd_end TERM
	forget
	ok "$engine: tegd starts with a zone of the port and of the bridge" tegd_start --engine $engine --bundle $lab/both.tegb
	[ $engine = auto ] && want="w0 xdp-native br0 xdp-generic" || want="w0 $engine br0 $engine"
	is "$(status '.interfaces[] | .name + " " + .engine' | xargs)" "$want" "$engine: both judge"
	holds "$(status '.interfaces[] | select(.name == "w0") | .reason')" "; what goes up to br0 is judged there again, and counts twice" "$engine: status says so of the port"
	is "$(status '[.interfaces[] | select(.name == "br0") | .reason | contains("again")] | tostring')" "[false]" "$engine: and not of the bridge"
	is "$(of 6) $(counter reflex.many)" "2 4" "$engine: the same packet is asked on each, and takes from a rate twice"
	is "$(reaches 80)" open "$engine: layer 4 knows the zone"
	tegd_end TERM
	forget
done

ok "tegd starts with native XDP asked for" tegd_start --engine native --bundle $lab/bridge.tegb
is "$(status .generation)" 0 "a bridge cannot have it: nothing is in force"
holds "$(cat $lab/log)" "br0 cannot have --engine native: the driver has no native XDP" "and it is said why"
done_testing
