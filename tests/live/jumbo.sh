#!/bin/bash
# Frames of 9000 bytes on every engine: they are judged as others are, whole or in several buffers.
. tests/lib/live.bash
ip link set w0 mtu 9000
ip -n outside link set c0 mtu 9000
servers 80
bundle $lab/edge.tegb

large() { pings 10.9.0.1 -M do -s 8900 "$@"; }
for engine in native generic tc nft auto; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/edge.tegb
	if [ -e $cards ] && [ "$engine $(status .generation)" = "native 0" ]; then # virtio_net, before Linux 6.3
		holds "$(cat $lab/log)" "the driver refuses native XDP as the interface is set: its MTU" "native: or says why it does not"
		tegd_end TERM
		continue
	fi
	ok "$engine: judges on arrival, by $(status '.interfaces[0] | .engine + " " + (.reason // "")')" [ "$(status .generation)" -gt 0 ]
	is "$(large)" answered "$engine: a ping of 8,900 bytes passes"
	before=$(counter block.bogons)
	is "$(large -I 203.0.113.5)" silent "$engine: that of a blocked source does not"
	is "$(($(counter block.bogons) - ${before:-0}))" 1 "$engine: and is counted by the block's id"
	is "$(reaches 80)" open "$engine: small ones pass as well"
	tegd_end TERM
done
done_testing
