#!/bin/bash
# What is `self`: addresses of interfaces, and hosts and networks that a local route made this host's own, on each engine alike.
. tests/lib/live.bash

servers 22
bundle $lab/edge.tegb 's/\[10.9.0.2\]/[10.9.0.2, fd00:9::2]/'
bundle $lab/no-self.tegb '/lifeline/,/^}/d; /reflex/,/^}/d'
bundle $lab/blocks.tegb 's/for 3s/for 10m/'
for route in "192.0.2.0/24 via 10.9.0.1" "198.51.100.0/23 via 10.9.0.1" "2001:db8::/64 via fd00:9::1"; do ip -n outside route add $route; done
into() { for to; do reaches 22 $to; done | xargs; } # into ADDRESS...
large() { status .fault | grep -c "more than 512 addresses"; }
fault_of() { status ".intact, .fault" | xargs; }

for engine in native tc nft; do
	ip route add local 198.51.100.0/24 dev lo
	ok "$engine: tegd starts" tegd_start --engine $engine
	ok "$engine: a policy" ctl apply $lab/edge.tegb
	ok "$engine: closed, but for a lifeline to self" ctl posture LOCKDOWN
	is "$(into 10.9.0.1 198.51.100.0 198.51.100.255 198.51.101.0 192.0.2.9 2001:db8::9)" "open open open shut shut shut" \
		"$engine: self is the interface's address and the network of a local route, to its last address and no further"
	ip route add local 192.0.2.9/32 dev w0
	ip route add local 2001:db8::9 dev lo
	ok "$engine: hosts of local routes that come later are self, as soon as they do" soon "open open" into 192.0.2.9 2001:db8::9
	ok "$engine: a network with one of them is not blocked" test "$(ctl block 192.0.2.0/24 2>&1 | grep -c '192.0.2.9, an address of this host')" = 1
	ok "$engine: nor is part of a network that is self" test "$(ctl block 198.51.100.64/26 2>&1 | grep -c '198.51.100.0/24, an address of this host')" = 1
	ok "$engine: others are, each within another" ctl block 203.0.113.0/24 203.0.113.0/25 203.0.113.0/26
	ip route add local 203.0.113.0/25 dev lo
	ok "$engine: when part of one becomes self that is told, though the smaller ones are all self" soon \
		"203.0.113.0/25, an address of this host, lies in the network 203.0.113.0/24" eval 'status .own_blocked | sed "s/, which is blocked.*//"'
	ok "$engine: which is taken back" ctl unblock 203.0.113.0/24
	is "$(status .own_blocked)" "" "$engine: the smaller ones keep nobody else away"
	ctl unblock 203.0.113.0/25 203.0.113.0/26
	ip route del local 203.0.113.0/25 dev lo
	ip route del local 192.0.2.9/32 dev w0
	ip route add unreachable 192.0.2.9/32
	ok "$engine: and are not when they go" soon "shut open" into 192.0.2.9 2001:db8::9
	ip route del unreachable 192.0.2.9/32
	ip route del local 2001:db8::9 dev lo
	for family in -4 -6; do
		ip $family route add local default dev lo
		[ $engine = nft ] || ok "$engine: that everything is too large to be self is told, where a local route of $family leads to everywhere" soon 1 large
		ip $family route del local default dev lo
		ok "$engine: until that goes" soon true fault_of
	done
	ip route add local 198.18.0.0/15 dev lo
	[ $engine = nft ] || ok "$engine: a network too large to be self is told" soon 1 large
	is "$(into 10.9.0.1 198.51.100.7)" "open open" "$engine: what is smaller is self all the same"
	ok "$engine: a policy whose first hook does not ask for self" ctl apply $lab/no-self.tegb
	is "$(fault_of)" true "$engine: has no fault by it"

	# a neighbour, whom a reflex blocks as his /64
	ok "$engine: a policy whose reflex blocks" ctl apply $lab/blocks.tegb
	is "$(status .own_blocked)" "" "$engine: no own address is in a blocked network"
	outside python3 -c '
import socket
for port in range(1000, 1100):
    one = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    one.setblocking(False)
    one.connect_ex(("fd00:9::1", port))'
	ok "$engine: a neighbour is blocked by it, and that his /64 has an own address is told without anybody asking" soon "the network fd00:9::/64" \
		eval 'tail -n 1 $lab/log | grep -o "the network fd00:9::/64"'
	holds "$(status .own_blocked)" "fd00:9::1, an address of this host, lies in the network fd00:9::/64, which is blocked" "$engine: the status has it"
	ok "$engine: it is taken back" ctl unblock fd00:9::/64
	is "$(status .own_blocked)" "" "$engine: which is told at once"
	tegd_end TERM
	forget
	ip route flush table local 198.51.100.0/24
	ip route flush table local 198.18.0.0/15
done
done_testing
