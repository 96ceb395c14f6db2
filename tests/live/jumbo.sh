#!/bin/bash
# Frames of 9000 bytes on every engine: they are judged as others are, whole or in several buffers.
. tests/lib/live.bash
ip link set w0 mtu 9000
ip -n outside link set c0 mtu 9000
servers 80
bundle $lab/edge.tegb '$a reflex deep { match tcp port 81 on wan do drop }'

large() { pings 10.9.0.1 -M do -s 8900 "$@"; }
# A packet socket puts what is longer than a page into pages of their own, behind the Ethernet header; a veth, the first
# 3,520 bytes into the first buffer of XDP.
deep() {
	counts block.bogons bogon-large4 "$1: headers that are not where the frame begins are read"
	# docs/nftables.md, "Where this engine sees otherwise than XDP"; cards have buffers of their own size
	[ $1 = nft ] || [ -e $cards ] && return
	[ $1 = tc ] && last=4070 || last=3494
	counts reflex.deep deep$last "$1: TCP's header, as far behind as one is looked for"
	[ "$(status '.interfaces[0].engine')" = xdp-generic ] && return # before Linux 6.9 such frames are put together
	counts short-l4 deep$((last + 8)) "$1: one that ends beyond is dropped, and counted"
	counts extensions deep6000 "$1: and an extension header there"
}
declare -A named=([native]=xdp-native [generic]=xdp-generic [tc]=tc [nft]=nft)
for engine in native generic tc nft auto; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/edge.tegb
	# virtio_net before Linux 6.3, a veth before 5.18
	if { [ -e $cards ] || linux_before 5.18; } && [ "$engine $(status .generation)" = "native 0" ]; then
		ok "native: or says why it does not" grep -qE "the driver refuses native XDP(: the MTU is too large| as the interface is set: its MTU)" $lab/log
		tegd_end TERM
		continue
	fi
	[ $engine = auto ] || is "$(status .engine)" ${named[$engine]} "$engine: judges"
	ok "$engine: judges on arrival, by $(status '.interfaces[0] | .engine + " " + (.reason // "")')" [ "$(status .generation)" = 1 ]
	is "$(large)" answered "$engine: a ping of 8,900 bytes passes"
	before=$(counter block.bogons)
	is "$(large -I 203.0.113.5)" silent "$engine: that of a blocked source does not"
	is "$(($(counter block.bogons) - ${before:-0}))" 1 "$engine: and is counted by the block's id"
	is "$(reaches 80)" open "$engine: small ones pass as well"
	deep "$engine"
	tegd_end TERM
	forget
done
done_testing
