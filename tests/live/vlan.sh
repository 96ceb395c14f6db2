#!/bin/bash
# VLAN devices, on every engine: their traffic is judged on the interface below them, whether the tag stands in the frame or beside
# it as a card hands it over; and on themselves where the zone names them.
. tests/lib/live.bash
ip link add link w0 name v5 type vlan id 5 2>/dev/null || { echo "1..0 # SKIP this kernel has no VLAN devices"; exit 0; }
ip -n outside link add link c0 name u5 type vlan id 5
ip addr add 10.5.0.1/24 dev v5
ip addr add fd00:5::1/64 dev v5 nodad
ip link set v5 up
for address in 10.5.0.2/24 203.0.113.7/24; do ip -n outside addr add $address dev u5; done
ip -n outside addr add fd00:5::2/64 dev u5 nodad
ip -n outside link set u5 up
ip -n outside route del 203.0.113.0/24 dev c0 2>/dev/null
ip route replace 203.0.113.7/32 dev v5

servers 80 8080
bundle $lab/below.tegb
bundle $lab/itself.tegb 's/"w0"/"v5"/'

# Bogons are blocked on w0, or on v5; ping and the web pass.
judged() { # judged WORDS
	local before

	before=$(counter block.bogons)
	is "$(reaches 80 10.5.0.1) $(reaches 80 fd00:5::1)" "open open" "$1: an admitted service is reached through the VLAN"
	is "$(reaches 8080 10.5.0.1)" shut "$1: another is not"
	is "$(pings 10.5.0.1)" answered "$1: ping passes"
	is "$(pings 10.5.0.1 -I 203.0.113.7)" silent "$1: a blocked source is cut"
	is "$(($(counter block.bogons) - ${before:-0}))" 1 "$1: on arrival, and counted by the block's id"
}
tags() { # tags on|off: beside the frame, or in it
	outside ethtool -K c0 tx-vlan-hw-insert $1 >/dev/null 2>&1
	ethtool -K w0 rx-vlan-hw-parse $1 >/dev/null 2>&1
}

for engine in native generic tc nft; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/below.tegb
	for beside in on off; do
		tags $beside
		judged "$engine, tag $([ $beside = on ] && echo beside || echo in) the frame"
	done
	ok "$engine: LOCKDOWN" ctl posture LOCKDOWN
	is "$(reaches 80 10.5.0.1)" shut "$engine: the closed posture is closed to VLANs"
	ok "$engine: BALANCED" ctl posture BALANCED
	tegd_end TERM
	rm -rf $lab/state
	nft flush ruleset
	find $lab/bpf -type f -delete
	rm -rf $lab/bpf/*
	tc qdisc del dev w0 clsact 2>/dev/null
done

ok "tegd starts with a zone that is a VLAN device" tegd_start --engine auto --bundle $lab/itself.tegb
ok "and says how it is judged: $(status '.interfaces[0] | .name + " by " + .engine')" [ "$(status '.interfaces[0].name')" = v5 ]
is "$(status .intact)" true "all parts stand"
judged "on the device itself"
done_testing
