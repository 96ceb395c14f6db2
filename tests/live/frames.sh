#!/bin/bash
# Frames that no client sends, on every engine: each has its verdict and is counted by its cause. ENGINES chooses engines.
. tests/lib/live.bash
ip -n outside addr add fd00:9::66/64 dev c0 nodad
servers 22 80
bundle $lab/edge.tegb 's|^net bogons = .*|net bogons = [203.0.113.0/24, fd00:9::66]|
s|^posture EXPLORE .*{|&\n    malformed pass vlan-depth, bad-tcp|'

# Both hooks count neighbours, and the host and its neighbour ask when they like.
counts_neighbours() { ok "$2" [ "$(moved neighbour "$1" 6)" -ge 6 ]; }
answers() { # answers FRAME...: how many replies come
	local before=$(replies)

	outside tests/lib/frame.py c0 "$(mac)" "$@"
	sleep 0.1
	echo $(($(replies) - before))
}
replies() { outside nstat -asz IcmpInEchoReps Icmp6InEchoReplies | awk '{ n += $2 } END { print n + 0 }'; }
learnt() { # the neighbour's address is known: our question was answered
	ip -n outside neigh flush dev c0
	outside ping -6 -c1 -W0.3 -q "${@}" fd00:9::1 >/dev/null 2>&1
	ip -n outside -6 neigh show fd00:9::1 dev c0 | grep -q "lladdr $(mac)"
}

for engine in ${ENGINES:-generic nft tc native}; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/edge.tegb

	# --- counted by cause
	counts short-ip short-ip4 "$engine: IPv4 that ends in its header"
	counts short-ip short-ip6 "$engine: IPv6 that ends in its header"
	counts bad-ip bad-version4 "$engine: IPv4 of version 5"
	counts bad-ip bad-version6 "$engine: IPv6 of version 7"
	counts bad-ip over-long4 "$engine: IPv4 that says it is longer than its frame"
	counts bad-ip over-long6 "$engine: IPv6 that says so"
	counts short-l4 short-tcp4 "$engine: TCP of 10 bytes, IPv4"
	counts short-l4 short-tcp6 "$engine: TCP of 10 bytes, IPv6"
	counts short-l4 short-udp4 "$engine: UDP of 5 bytes"
	counts bad-tcp bad-tcp4 "$engine: a TCP header shorter than there is, IPv4"
	counts bad-tcp bad-tcp6 "$engine: a TCP header shorter than there is, IPv6"
	counts vlan-depth three-tags "$engine: three VLAN tags"
	counts tiny-fragment tiny4 "$engine: a first fragment that ends in TCP's header, IPv4"
	counts tiny-fragment tiny6 "$engine: and IPv6"
	# Connection tracking finds these, where nft is the first hook.
	if [ $engine != nft ]; then
		counts overlap overlap4 "$engine: a fragment over TCP's header, IPv4"
		counts overlap overlap6 "$engine: and IPv6"
		counts bad-fragment beyond4 "$engine: a fragment beyond 65,535 bytes"
		counts bad-udp bad-udp4 "$engine: a UDP length of 5"
		counts short-inner short-inner4 "$engine: an error that ends in the packet it is about"
		counts bad-inner bad-inner4 "$engine: an error about IPv5"
		counts foreign-inner foreign-inner4 "$engine: an error about somebody else's packet"
	fi
	counts not-ip arp "$engine: ARP goes on"
	# docs/nftables.md, "Where this engine sees otherwise than XDP"
	[ $engine = nft ] || counts extensions nine-headers "$engine: nine extension headers"
	# The first begins a flow, to which the others belong.
	ok "$engine: eight are walked, to the port behind them" [ "$(moved BALANCED.web eight-headers 1)" -ge 1 ]

	# --- judged by rules all the same
	counts block.bogons bogon4 "$engine: a bogon"
	counts block.bogons bogon-tagged4 "$engine: a bogon behind a VLAN tag, IPv4"
	counts block.bogons bogon-tagged6 "$engine: and IPv6"
	[ $engine = nft ] && cause=vlan-depth || cause=block.bogons
	counts $cause bogon-two-tags "$engine: a bogon behind two VLAN tags"
	counts block.bogons bogon-later4 "$engine: a bogon's later fragment, IPv4"
	counts block.bogons bogon-later6 "$engine: and IPv6"

	# --- fragments of what is admitted
	ip neigh flush dev w0 # solicitations gave us another address
	for f in 4 6; do
		is "$(answers echo$f-0-24 echo$f-24-48)" 1 "$engine: a request in two parts is answered, IPv$f"
		is "$(answers echo$f-0-24 echo$f-16-48)" 0 "$engine: where parts overlap, it is not"
	done
	is "$(pings 10.9.0.1 -s 4000)" answered "$engine: a request in three fragments is answered"

	# --- neighbours, whatever the posture
	ok "$engine: to LOCKDOWN" ctl posture LOCKDOWN
	is "$(pings 10.9.0.1 -s 4000)" silent "$engine: LOCKDOWN drops the fragments"
	ok "$engine: a neighbour is found in LOCKDOWN" learnt
	counts_neighbours solicitation "$engine: and counted"
	counts_neighbours solicitation-bogon "$engine: also one that a block names"
	counts LOCKDOWN.default.in solicitation-routed "$engine: one that a router forwarded is none"
	is "$(reaches 22)" open "$engine: the lifeline holds"
	counts vlan-depth three-tags "$engine: what is malformed is counted as before"
	# --- frames that a posture lets go on
	ok "$engine: to EXPLORE" ctl posture EXPLORE
	for cause in vlan-depth:three-tags bad-tcp:bad-tcp4; do
		counts "${cause%:*}\",verdict=\"allow" ${cause#*:} "$engine: ${cause%:*} goes on there, and is counted so"
	done
	counts 'short-l4",verdict="drop' short-tcp4 "$engine: and other causes do not"

	ok "$engine: back to BALANCED" ctl posture BALANCED
	tegd_end TERM
done
done_testing
