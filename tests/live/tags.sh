#!/bin/bash
# Frames with one, two and three VLAN tags, on every engine: all in the frame, or the outer one beside it, as a card hands over
# a tag that it has taken off. What the stack does with them afterwards is tests/live/vlan.sh.
. tests/lib/live.bash
. tests/lib/push.bash

bundle $lab/edge.tegb 's|^net bogons = .*|net bogons = [203.0.113.0/24, fd00:9::66]|'
ip -n outside addr add fd00:9::66/64 dev c0 nodad

declare -A named=([native]=xdp-native [generic]=xdp-generic [tc]=tc [nft]=nft)
for engine in native generic tc nft; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/edge.tegb
	is "$(status .engine)" ${named[$engine]} "$engine: judges"
	# docs/nftables.md, "Where this engine sees otherwise than XDP"
	[ $engine = nft ] && two=vlan-depth || two=block.bogons
	counts block.bogons bogon4 "$engine: no tag"
	for beside in off on; do
		tags $beside
		where="$engine, the outer tag $([ $beside = on ] && echo beside || echo in) the frame"
		tagged counts block.bogons bogon4 "$where: one, IPv4"
		tagged counts block.bogons bogon6 "$where: one, IPv6"
		tagged counts block.bogons bogon-later4 "$where: one, a later fragment"
		# XDP sees the frame as the card hands it over, and counts no tag that is not in it.
		[ $beside-$engine = on-native ] || [ $beside-$engine = on-generic ] && seen=block.bogons || seen=$two
		tagged counts $seen bogon-tagged4 "$where: two"
		[ $beside-$engine = on-native ] || [ $beside-$engine = on-generic ] && seen=block.bogons || seen=vlan-depth
		tagged counts $seen bogon-two-tags "$where: three"
		tagged counts vlan-depth three-tags "$where: four"
	done
	tags on
	tegd_end TERM
	forget
done
done_testing
