# Frames that contradict themselves, by engine: ENGINE=native . tests/lib/hostile.bash
. tests/lib/live.bash

bundle $lab/one.tegb
servers 22 80
ok "tegd starts" tegd_start --engine $ENGINE --bundle $lab/one.tegb
mac=$(ip -j link show w0 | jq -r '.[0].address')

# counted KIND: what 5 frames of it add to which causes; ARP comes and goes as it likes
causes() { ctl metrics | sed -n 's/^tegumentar_unjudged_packets_total{cause="\([^"]*\)",verdict="drop"} /\1 /p' | sort; }
counted() {
	local before=$(causes)
	outside python3 tests/lib/frames.py c0 "$mac" "$1" 5 || return
	join <(echo "$before") <(causes) | awk '$3 > $2 { printf "%s%s %d", n++ ? ", " : "", $1, $3 - $2 }'
}
while read -r kind cause on_nft; do
	[ $ENGINE = nft ] && cause=${on_nft:-$cause}
	[ $ENGINE-$kind = tc-short-vlan ] && cause=none # the stack takes the tag off before TC, and drops what is none
	case $cause in
	none) is "$(counted "$kind")" "" "$kind: not counted at this engine's first hook, see docs/nftables.md" ;;
	*) is "$(counted "$kind")" "$cause 5" "$kind: dropped and counted as $cause" ;;
	esac
done <<-END
	short-vlan      short-eth       none
	three-vlans     vlan-depth
	short-ip4       short-ip
	short-ip6       short-ip
	bad-ihl         bad-ip
	total-beyond    bad-ip
	total-below     bad-ip
	length6-beyond  bad-ip
	nine-extensions extensions      none
	short-tcp       short-l4
	short-udp       short-l4
	tiny-fragment   tiny-fragment
	bad-tcp         bad-tcp
	tcp-beyond      bad-tcp         none
END

is "$(pings 10.9.0.1 -s 4000)" answered "a ping in fragments passes, reassembled at layer 4"
is "$(pings fd00:9::1 -s 4000)" answered "over IPv6 too"
ok "to LOCKDOWN" ctl posture LOCKDOWN
ip -6 neigh flush dev w0
ip -n outside -6 neigh flush dev c0
is "$(pings fd00:9::1)" silent "LOCKDOWN answers nobody"
ok "but neighbours are found" sh -c "ip -n outside -6 neigh show fd00:9::1 | grep -q $mac"
is "$(status .intact)" true "all parts stand after all that"
done_testing
