#!/bin/bash
# Policies whose interface is a VLAN device, on every engine; two tags with a device for each (QinQ), judged
# below, between and above; each with frames of 9,000 bytes. tests/live/vlan.sh has what one tag means below.
. tests/lib/live.bash
ip link add link w0 name v5 type vlan id 5 2>/dev/null || { echo "1..0 # SKIP this kernel has no VLAN devices"; exit 0; }
ip link set w0 mtu 9004
ip -n outside link set c0 mtu 9004
stands() { # stands NUMBER DEVICE
	ip addr add 10.$1.0.1/24 dev $2
	ip link set $2 up mtu 9000
	ip route add 203.0.$1.7/32 dev $2
}
joined() { # joined NUMBER DEVICE PEER: what stands on both, with addresses of the net 10.NUMBER.0 and of bogons
	stands $1 $2
	ip -n outside addr add 10.$1.0.2/24 dev $3
	ip -n outside addr add 203.0.$1.7/32 dev $3
	ip -n outside link set $3 up mtu 9000
}
ip -n outside link add link c0 name u5 type vlan id 5
joined 5 v5 u5
# The outer tag of 802.1ad, the inner of 802.1Q.
ip link add link w0 name s7 type vlan proto 802.1ad id 7
ip -n outside link add link c0 name t7 type vlan proto 802.1ad id 7
joined 7 s7 t7
ip link add link s7 name q8 type vlan id 8
ip -n outside link add link t7 name r8 type vlan id 8
joined 8 q8 r8
ip link set q8 mtu 8996
ip -n outside link set r8 mtu 8996
servers 80 8080
at() { # at NAME ZONE [SED-SCRIPT]
	bundle "$lab/$1.tegb" "${3-}; s/\"w0\"/$2/; s|^net bogons = .*|net bogons = [203.0.5.0/24, 203.0.7.0/24, 203.0.8.0/24]|"
}
at below '"w0"'
at v5 '"v5"'
at s7 '"s7"'
at both '["w0", "v5"]'
at q8 '"q8"'
at passing '"w0"' 's|^posture BALANCED .*|&\n    malformed pass vlan-depth|'

judged() { # judged WORDS NUMBER: bogons are blocked on arrival; ping and the web pass
	local before both

	before=$(counter block.bogons)
	is "$(reaches 80 10.$2.0.1) $(pings 10.$2.0.1 -M do -s 8900)" "open answered" "$1: the web is reached, and pings of 8,900 bytes are answered"
	both=$(pings 10.$2.0.1 -I 203.0.$2.7 & pings 10.$2.0.1 -I 203.0.$2.7 -M do -s 8900; wait)
	is "$(xargs <<<"$both")" "silent silent" "$1: a blocked source is cut, with small packets and large ones"
	is "$(($(counter block.bogons) - ${before:-0}))" 2 "$1: on arrival, and counted by the block's id"
}
tags() { # tags on|off: beside the frame, or in it
	outside ethtool -K c0 tx-vlan-hw-insert $1 tx-vlan-stag-hw-insert $1 >/dev/null 2>&1
	ethtool -K w0 rx-vlan-hw-parse $1 rx-vlan-stag-hw-parse $1 >/dev/null 2>&1
}
words() { status '.interfaces[] | .name + " " + .engine + ": " + .reason'; }

# --- two tags
for engine in native generic tc nft; do
	# No driver has frames of several buffers before 5.18, nor virtio_net before 6.3 (docs/install.md): it refuses this MTU.
	[ $engine = native ] && { linux_before 5.18 || { [ -e $cards ] && linux_before 6.3; }; } && continue
	for zone in below s7 q8; do
		case $engine-$zone in
		native-s7 | native-q8 | tc-s7 | nft-below) continue ;;
		esac
		ok "$engine, two tags: tegd starts with the zone $zone" tegd_start --engine $engine --bundle $lab/$zone.tegb
		for beside in on off; do
			[ $beside-$zone = off-q8 ] && continue
			tags $beside
			judged "$engine, zone $zone, two tags, the outer one $([ $beside = on ] && echo beside || echo in) the frame" 8
		done
		tegd_end TERM
		forget
	done
done

# --- two tags below nft, which reads nothing behind the second (docs/nftables.md)
unread() { [ "$(counted vlan-depth)" -gt "${before:-0}" ]; }
tried() { echo "$(reaches 80 10.8.0.1) $(pings 10.8.0.1 -M do -s 8900) $(pings 10.8.0.1 -I 203.0.8.7)"; }
declare -A comes=([below]="shut silent silent" [passing]="open answered answered")
ok "nft, two tags: tegd starts with the zone below" tegd_start --engine nft --bundle $lab/below.tegb
for zone in below passing; do
	ok "nft, zone $zone: it is in force" ctl apply $lab/$zone.tegb
	for beside in on off; do
		tags $beside
		where="nft, zone $zone, the outer tag $([ $beside = on ] && echo beside || echo in) the frame"
		before=$(counted vlan-depth)
		is "$(tried)" "${comes[$zone]}" "$where: two tags are $([ $zone = below ] && echo dropped || echo "let on to layer 4, of a blocked source too")"
		ok "$where: and counted by that cause" unread
		[ $zone = passing ] || judged "$where, one tag" 5
	done
done
tegd_end TERM
forget

# --- the device itself
declare -A named=([auto]=xdp-generic [generic]=xdp-generic [tc]=tc [nft]=nft)
for engine in auto generic tc nft; do
	ok "$engine: tegd starts with a zone that is a VLAN device" tegd_start --engine $engine --bundle $lab/v5.tegb
	[ $engine = auto ] && reason="the driver has no native XDP" || reason="asked for"
	is "$(words)" "v5 ${named[$engine]}: $reason" "$engine: judges on the device, and says why"
	is "$(status .intact)" true "$engine: all parts stand"
	for beside in on off; do
		tags $beside
		judged "$engine, tag $([ $beside = on ] && echo beside || echo in) the frame" 5
	done
	is "$(pings 10.7.0.1 -I 203.0.7.7)" answered "$engine: another VLAN is not of the zone"
	ip link del v5
	ok "$engine: the device goes" soon "v5 none: there is no such interface now" words
	ip link add link w0 name v5 type vlan id 5
	stands 5 v5
	ok "$engine: and comes again" soon "v5 ${named[$engine]}: $reason" words
	is "$(status .intact)" true "$engine: all parts stand"
	judged "$engine, the device that came" 5
	tegd_end TERM
	forget
done
ok "tegd starts with a zone of the card and of the device" tegd_start --engine tc --bundle $lab/both.tegb
is "$(words | xargs -d'\n' printf '%s | ')" "w0 tc: asked for; what goes up to v5 is judged there again, and counts twice | v5 tc: asked for | " "status says what is judged twice"
tegd_end TERM
done_testing
