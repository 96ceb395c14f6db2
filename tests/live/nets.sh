#!/bin/bash
# Networks that a person blocks for a time: as hosts, on every engine, through crashes, rollouts and from one engine to the other.
. tests/lib/live.bash

ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
listed() { ctl block --json | jq -r '.blocks[].source' | sort | xargs; }
bundle $lab/one.tegb
servers 22
# Networks that lie outside: 198.51.100.0/24 and its neighbour, 2001:db8:7::/48 and its.
outside ip addr add 198.51.100.7/32 dev c0
outside ip addr add 198.51.101.7/32 dev c0
outside ip -6 addr add 2001:db8:7:1::7/128 dev c0 nodad
outside ip -6 addr add 2001:db8:8:1::7/128 dev c0 nodad
ip route add 198.51.100.0/22 via 10.9.0.2 dev w0
ip -6 route add 2001:db8::/32 via fd00:9::2 dev w0
from() { outside ping -c1 -W0.4 -q -I "$1" "${2:-10.9.0.1}" >/dev/null 2>&1 && echo answered || echo silent; }
four() { from 198.51.100.7; }
six() { from "${1:-2001:db8:7:1::7}" fd00:9::1; }
rules() { nft -a list chain netdev tegumentar "$1" 2>/dev/null | grep -c blockednets; }
own_blocked() { curl -s --unix-socket $lab/run/api.sock http://t/metrics | sed -n 's/^tegumentar_own_addresses_blocked //p'; }
nets_chain() { nft list chains netdev 2>/dev/null | sed -n 's/.*chain \([ab]_nets\) .*/\1/p' | head -1; }

for engine in native generic tc nft; do
	ok "$engine: tegd starts" tegd_start --engine $engine --state-dir $lab/state-$engine --pin-dir $lab/bpf/$engine --bundle $lab/one.tegb
	is "$(four), $(six)" "answered, answered" "$engine: sources are answered"
	ok "$engine: their networks are blocked" ctl block 198.51.100.0/24 2001:db8:7::/48 --for 5m --reason scans
	is "$(four), $(six)" "silent, silent" "$engine: they are answered no more"
	is "$(from 198.51.101.7), $(six 2001:db8:8:1::7)" "answered, answered" "$engine: their neighbours are"
	is "$(listed)" "198.51.100.0/24 2001:db8:7::/48" "$engine: both are listed"
	is "$(ctl block --json | jq -c '[.total, (.blocks[0].until | (fromdate - now) > 280 and (fromdate - now) < 302)]')" "[2,true]" "$engine: with their end"
	holds "$(ctl audit --last 1)" "2 sources for 300 s: scans: 198.51.100.0/24, 2001:db8:7::/48" "$engine: who blocked them is in the audit log"
	is "$(status .intact)" true "$engine: all is as it should be"
	is "$(curl -s --unix-socket $lab/run/api.sock http://t/metrics | sed -n 's/^tegumentar_blocked_sources //p')" 2 "$engine: and counted"
	is "$(ctl unblock 198.51.100.7)" "$(printf '%s\n' '0 sources are not blocked now' 'was not blocked before: 198.51.100.7' '198.51.100.7 is still blocked, by the network 198.51.100.0/24; to take back all of that: tegctl unblock 198.51.100.0/24' | tail -2)" \
		"$engine: a host in it is told to be blocked by it"
	is "$(four)" silent "$engine: which it is"
	ok "$engine: a wider one too" ctl block 198.51.100.0/22 --for 2h
	is "$(four), $(from 198.51.101.7)" "silent, silent" "$engine: blocks more"
	is "$(ctl unblock 198.51.100.0/24 --json | jq -c '[.not_blocked, .still_blocked]')" '[[],[{"source":"198.51.100.0/24","network":"198.51.100.0/22"}]]' \
		"$engine: a network within is told to be blocked by the wider one"
	is "$(four), $(listed)" "silent, 198.51.100.0/22 2001:db8:7::/48" "$engine: and that one alone is left"
	is "$(ctl unblock 198.51.100.0/23)" "$(printf '%s\n' 'was not blocked before: 198.51.100.0/23' '198.51.100.0/23 is still blocked, by the network 198.51.100.0/22; to take back all of that: tegctl unblock 198.51.100.0/22')" "$engine: nor does one of another length"
	bundle $lab/two.tegb 's/version "1"/version "2"/'
	ok "$engine: another policy" ctl apply $lab/two.tegb
	is "$(four), $(six)" "silent, silent" "$engine: a rollout does not unblock"
	ok "$engine: another posture" ctl posture EXPLORE
	is "$(four), $(six)" "silent, silent" "$engine: nor does that"
	ctl posture BALANCED >/dev/null
	tegd_end KILL
	is "$(four), $(six)" "silent, silent" "$engine: nor a crash"
	ok "$engine: tegd starts after it" tegd_start --engine $engine --state-dir $lab/state-$engine --pin-dir $lab/bpf/$engine
	is "$(status .adopted)" adopted "$engine: what is there is adopted"
	is "$(four), $(six), $(listed)" "silent, silent, 198.51.100.0/22 2001:db8:7::/48" "$engine: and they are blocked"
	ok "$engine: one is taken back" ctl unblock 198.51.100.0/22
	is "$(four), $(six)" "answered, silent" "$engine: it is answered again"
	ok "$engine: another of its length is blocked" ctl block 198.51.101.0/25 --for 5m
	ok "$engine: and it for two seconds" ctl block 198.51.100.0/25 --for 2s
	is "$(four)" silent "$engine: it is not"
	ok "$engine: until they are over" soon answered four
	ok "$engine: the other policy again" ctl apply $lab/one.tegb
	is "$(four), $(from 198.51.101.7)" "answered, silent" "$engine: the other network is looked for as long as it lasts"
	ok "$engine: which is taken back" ctl unblock 198.51.101.0/25
	ok "$engine: the list knows" soon "2001:db8:7::/48" listed
	ok "$engine: a /32 is a host, a /128 its /64" ctl block 198.51.100.7/32 2001:db8:8:1::7/128
	is "$(listed)" "198.51.100.7 2001:db8:7::/48 2001:db8:8:1::/64" "$engine: as they are listed"
	ok "$engine: all are taken back" ctl unblock 198.51.100.7 2001:db8:7::/48 2001:db8:8:1::/64
	is "$(four), $(six), $(listed)" "answered, answered, " "$engine: and answered"

	# an own address that comes later
	is "$(status .own_blocked) $(own_blocked)" " 0" "$engine: no own address is in a blocked network"
	ok "$engine: networks of which none has one" ctl block 198.51.100.0/24 2001:db8:7::/48 198.51.0.0/18
	ip addr add 198.51.100.9/32 dev lo
	ok "$engine: an address in one comes, which status tells" soon "198.51.100.9, an address of this host, lies in the network 198.51.100.0/24, which is blocked: nobody else of that network reaches this host; tegctl unblock 198.51.100.0/24" status .own_blocked
	holds "$(ctl status)" "198.51.100.9, an address of this host" "$engine: to people too"
	is "$(own_blocked) $(four) $(status .intact)" "1 silent true" "$engine: it is counted, and the block stays"
	ip -6 addr add 2001:db8:7:9::9/128 dev lo
	ok "$engine: one of IPv6 too" soon 2 own_blocked
	ok "$engine: one is taken back" ctl unblock 198.51.100.0/24
	is "$(own_blocked) $(status .own_blocked | cut -d, -f1)" "1 2001:db8:7:9::9" "$engine: the other is told"
	ip -6 addr del 2001:db8:7:9::9/128 dev lo
	ok "$engine: until it goes" soon "0" own_blocked
	ip -6 addr add 2001:db8:7:9::9/128 dev lo
	ok "$engine: it comes again" soon 1 own_blocked
	tegd_end KILL
	ok "$engine: tegd starts after a crash" tegd_start --engine $engine --state-dir $lab/state-$engine --pin-dir $lab/bpf/$engine
	is "$(own_blocked)" 1 "$engine: it is told after a start"
	ok "$engine: all are taken back" ctl unblock 2001:db8:7::/48 198.51.0.0/18
	is "$(own_blocked) $(status .own_blocked)" "0 " "$engine: which is told at once"
	ip -6 addr del 2001:db8:7:9::9/128 dev lo
	ok "$engine: one is blocked for seconds" ctl block 2001:db8:7::/48 --for 3s
	ip -6 addr add 2001:db8:7:9::9/128 dev lo
	ok "$engine: when it is over nothing is told" soon "0 " eval 'echo "$(own_blocked) $(status .own_blocked)$(listed)"'
	ip -6 addr del 2001:db8:7:9::9/128 dev lo
	ip addr del 198.51.100.9/32 dev lo

	# of IPv6 a host is blocked as its /64, which is the network of all beside it
	ok "$engine: a host of IPv6 is blocked" ctl block 2001:db8:7:1::7
	is "$(six), $(listed)" "silent, 2001:db8:7:1::/64" "$engine: with its /64"
	ip -6 addr add 2001:db8:7:1::9/128 dev lo
	ok "$engine: an own address comes into that, which status tells" soon "2001:db8:7:1::9, an address of this host, lies in the network 2001:db8:7:1::/64, which is blocked: nobody else of that network reaches this host; tegctl unblock 2001:db8:7:1::/64" status .own_blocked
	is "$(own_blocked) $(six)" "1 silent" "$engine: it is counted, and the block stays"
	ok "$engine: it is taken back" ctl unblock 2001:db8:7:1::7
	is "$(own_blocked) $(status .own_blocked)" "0 " "$engine: which is told at once"
	ok "$engine: a neighbour of that address is not blocked now" ends 2 ctl block 198.51.100.7 2001:db8:7:1::7
	is "$(grep -o 'the network.*' $lab/said)" "the network 2001:db8:7:1::/64 is not blocked: 2001:db8:7:1::9, an address of this host, lies in it. It is the least that is blocked of IPv6 at run time: write a \`block\` in the policy, which may name an address" \
		"$engine: for all of its /64 would be, which is said, and what to do"
	is "$(listed)" "" "$engine: nor is any other of the request"
	ip -6 addr del 2001:db8:7:1::9/128 dev lo
	ok "$engine: when the address goes, he is" soon blocked eval 'ctl block 2001:db8:7:1::7 >/dev/null && echo blocked'
	ok "$engine: and taken back" ctl unblock 2001:db8:7:1::7
	ok "$engine: nor are link-local neighbours blocked, all of which are one /64" ends 2 ctl block fe80::1
	holds "$(cat $lab/said)" "the network fe80::/64 is not blocked" "$engine: which is said"
	ok "$engine: but an own address of IPv4, which is nobody else's" ctl block 10.9.0.1
	is "$(status .own_blocked)" "" "$engine: that is no fault"
	ok "$engine: taken back" ctl unblock 10.9.0.1

	# what is refused
	ok "$engine: a network between a /64 and an address: 64" ends 64 ctl block 2001:db8:7:1::/96
	is "$(cat $lab/said)" "$(printf '%s\n' 'tegctl: A field is not what it must be: sources: `2001:db8:7:1::/96` is a part of a /64, and of IPv6 nothing less than a /64 is blocked' '  try: 2001:db8:7:1::/64')" \
		"$engine: is told to be a part of what can be, and what to write"
	ok "$engine: one with bits behind its length: 64" ends 64 ctl unblock 2001:db8:7:1::5/127
	holds "$(cat $lab/said)" "try: 2001:db8:7:1::/64" "$engine: is told the same, not one that is refused too"
	ok "$engine: a network with bits behind its length: 64" ends 64 ctl block 198.51.100.7/24
	holds "$(cat $lab/said)" "198.51.100.0/24" "$engine: what to write is said"
	ok "$engine: everybody: 64" ends 64 ctl block 0.0.0.0/0
	holds "$(cat $lab/said)" "everybody" "$engine: is said to be"
	ok "$engine: a network that an address of this host is in" ends 2 ctl block 10.9.0.0/16
	holds "$(cat $lab/said)" "10.9.0.1, an address of this host, lies in it" "$engine: is refused, and the address named"
	ok "$engine: and of IPv6" ends 2 ctl block 198.51.100.0/24 fd00::/8
	holds "$(cat $lab/said)" "fd00:9::1, an address of this host, lies in it" "$engine: too"
	ok "$engine: one that all of a lifeline's sources are in" ends 2 ctl block 198.51.100.0/24 10.9.0.2/31
	holds "$(cat $lab/said)" "10.9.0.2 lies in it, from which lifeline.ssh admits" "$engine: is refused, and the lifeline named"
	is "$(listed)" "" "$engine: and none of the others is blocked"
	for i in $(seq 8 31); do echo "198.51.100.0/$i"; done | awk -F/ '{ split($1, a, "."); n = a[1] * 2^24 + a[2] * 2^16 + a[3] * 2^8; m = 2^(32 - $2); n -= n % m; printf "%d.%d.%d.%d/%d\n", n / 2^24, n / 2^16 % 256, n / 2^8 % 256, n % 256, $2 }' >$lab/lengths
	ok "$engine: networks of 24 lengths" ctl block --from $lab/lengths
	is "$(four), $(from 10.9.0.3)" "silent, answered" "$engine: are blocked at a time"
	ok "$engine: of 25 not" ends 2 ctl block 128.0.0.0/1
	holds "$(cat $lab/said)" "networks of 24 lengths are blocked already" "$engine: which is said"
	is "$(four), $(ctl block --json | jq .total)" "silent, 24" "$engine: and they stay"
	grep -v '/24$' $lab/lengths >$lab/others
	ok "$engine: all but one are taken back" ctl unblock --from $lab/others
	ok "$engine: which is room for others" ctl block 128.0.0.0/1 192.0.0.0/2
	is "$(four), $(from 10.9.0.3)" "silent, answered" "$engine: they are blocked"
	ok "$engine: and lengths are as many again" ctl block --from <(grep -v '/3[01]$' $lab/others)
	ok "$engine: but not more" ends 2 ctl block 198.51.100.6/31
	ok "$engine: taken back" ctl unblock --from <(cat $lab/lengths; echo 128.0.0.0/1; echo 192.0.0.0/2)
	is "$(four)" answered "$engine: all of them"
	is "$(status .intact)" true "$engine: all is as it should be"
	if [ $engine = nft ]; then
		ok "$engine: no rule is left for them" soon 0 rules "$(nets_chain)"
		ok "$engine: one is blocked again" ctl block 198.51.100.0/24
		is "$(rules "$(nets_chain)")" 1 "$engine: which one rule looks for"
		nft flush chain netdev tegumentar "$(nets_chain)"
		is "$(four), $(status .intact)" "answered, false" "$engine: that somebody takes it away is seen"
	fi
	tegd_end TERM
	nft flush ruleset
	rm -rf $lab/bpf/$engine
done

# --- rules that look for networks, and somebody takes away
ok "tegd starts with nft, and looks each second" tegd_start --engine nft --drift-seconds 1 --state-dir $lab/state-nft --pin-dir $lab/bpf/nft
ok "networks of two lengths are blocked" ctl block 198.51.100.0/24 2001:db8:7::/48
nft flush chain netdev tegumentar "$(nets_chain)"
ok "whose rules come back" soon "silent true" eval 'echo "$(four) $(status .intact)"'
is "$(six), $(rules "$(nets_chain)")" "silent, 2" "both"
nft add rule netdev tegumentar "$(nets_chain)" ip saddr 198.51.101.7 accept
ok "a rule of somebody's among them goes" soon "2 true" eval 'echo "$(nft -a list chain netdev tegumentar "$(nets_chain)" | grep -c handle.*[0-9]$ | xargs expr -1 +) $(status .intact)"'
is "$(four), $(six)" "silent, silent" "and they are blocked"
tegd_end TERM
nft flush ruleset

# --- from one engine to the other
moves() { tegd_end "$2" && tegd_start --engine "$1" --state-dir $lab/state-native --pin-dir $lab/bpf/native; } # moves ENGINE SIGNAL
left() { ctl block --json | jq -c "[.blocks[] | select(.source == \"$1\") | (.until | fromdate) - now | . > $2 and . < $3]"; } # left SOURCE LEAST MOST
ok "tegd starts" tegd_start --engine native --state-dir $lab/state-native --pin-dir $lab/bpf/native
ok "networks are blocked in XDP" ctl block 198.51.100.0/24 2001:db8:7::/48 --for 5m
ok "tegd is started with nft" moves nft TERM
is "$(status .engine)" nft "nft judges"
is "$(four), $(six), $(from 198.51.101.7)" "silent, silent, answered" "they are blocked there"
is "$(ctl block --json | jq .total) $(left 198.51.100.0/24 270 301)" "2 [true]" "for the time that was left"
ok "one is taken back there, and another blocked" bash -c "'$BUILD/tegctl' --socket $lab/run/api.sock unblock 2001:db8:7::/48 && '$BUILD/tegctl' --socket $lab/run/api.sock block 2001:db8:8::/45 --for 2h"
ok "tegd is killed, and started with XDP" moves native KILL
is "$(status .engine)" xdp-native "XDP judges"
is "$(four), $(six), $(six 2001:db8:8:1::7)" "silent, answered, silent" "what nft blocked is blocked, what was taken back is not"
is "$(left 2001:db8:8::/45 7000 7201)" "[true]" "for the time that was left"
ok "tegd is started with nft again" moves nft TERM
ok "networks of 24 lengths are blocked" ctl block --from $lab/lengths
ok "and one more, by hand" nft add element netdev tegumentar blockednets4 '{ 192.0.0.0 timeout 1h }' # 128.0.0.0/1
ok "a host, which is carried all the same" ctl block 10.9.0.3
ok "tegd is started with XDP" moves native TERM
holds "$(cat $lab/log)" "the programs ask for networks of 24 lengths of a family, and" "why one is not carried is said"
is "$(grep -c 'table of runtime blocks is full' $lab/log) $(ctl block --json | jq '[.blocks[].source | select(contains("."))] | length') $(from 10.9.0.3) $(four)" "0 26 silent silent" \
	"as it is, and all others are"
tegd_end TERM
nft flush ruleset
done_testing
