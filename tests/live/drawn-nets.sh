#!/bin/bash
# Networks of drawn lengths, some within others, blocked at run time: who comes through is whom a plain search lets through, in nft too.
. tests/lib/live.bash

seed=${1-1}
bundle $lab/one.tegb
nft -f - <<-'END'
	table inet witness {
		set four { type ipv4_addr; size 65535; flags dynamic; }
		set six { type ipv6_addr; size 65535; flags dynamic; }
		chain early {
			type filter hook prerouting priority -300
			udp dport 7777 add @four { ip saddr }
			udp dport 7777 add @six { ip6 saddr }
		}
	}
END
mac=$(ip -br link show w0 | awk '{ print $3 }')
wrong() { # wrong NETS: of 1,500 sources, those that come through and should not, or the other way
	nft flush set inet witness four
	nft flush set inet witness six
	outside tests/lib/drawn_nets.py send c0 "$mac" "$seed" 1500 <$lab/nets >$lab/from
	nft -j list table inet witness | tests/lib/drawn_nets.py judge "$1" $lab/from
}
# asks COMMAND...: does the warden send a few times while it runs, or many times? Without strace nobody knows.
asks() {
	command -v strace >/dev/null || { "$@" >$lab/said && echo few; return; }
	rm -f $lab/trace
	strace -qq -o $lab/trace -e trace=sendmsg -p $tegd_pid &
	until [ -s $lab/trace ]; do ctl status >$lab/said; sleep 0.05; done
	local before=$(wc -l <$lab/trace)
	"$@" >$lab/said || return
	local sent=$(($(wc -l <$lab/trace) - before))
	kill -INT %strace
	wait %strace 2>/dev/null
	[ $sent -lt 150 ] && echo few || echo "$sent times"
}
tests/lib/drawn_nets.py draw "$seed" 300 >$lab/nets
sed -n '1~2p' $lab/nets >$lab/even
sed -n '2~2p' $lab/nets >$lab/odd
right="0 wrong; many blocked and many came"

for engine in nft native; do
	ok "$engine: tegd starts" tegd_start --engine $engine --state-dir $lab/state-$engine --pin-dir $lab/bpf/$engine --bundle $lab/one.tegb
	is "$(wrong /dev/null)" "0 wrong; 0 blocked and many came" "$engine: none is blocked"
	ok "$engine: 300 networks are blocked" ctl block --from $lab/nets --for 30m
	is "$(wrong $lab/nets)" "$right" "$engine: as a plain search says"
	is "$(ctl block --json | jq -r '.blocks[].source' | sort | cmp - <(sed 's,/32$,,' $lab/nets | sort) && echo same)" same "$engine: and listed"
	is "$(asks ctl unblock --from $lab/odd)" few "$engine: every other is taken back, and nft is not asked once for each source and length"
	is "$(wrong $lab/even)" "$right" "$engine: the others are as they were"
	is "$(ctl unblock --json --from $lab/odd | jq -c '.not_blocked | length')" 150 "$engine: none of them is blocked by itself"
	bundle $lab/two.tegb 's/version "1"/version "2"/'
	ok "$engine: another policy" ctl apply $lab/two.tegb
	is "$(wrong $lab/even)" "$right" "$engine: after a rollout"
	tegd_end KILL
	is "$(wrong $lab/even)" "$right" "$engine: and a crash"
	ok "$engine: tegd starts after it" tegd_start --engine $engine --state-dir $lab/state-$engine --pin-dir $lab/bpf/$engine
	is "$(wrong $lab/even) $(status .intact)" "$right true" "$engine: all is as it was"
	tegd_end TERM
	other=$([ $engine = nft ] && echo native || echo nft)
	ok "$engine: the other engine takes over" tegd_start --engine $other --state-dir $lab/state-$engine --pin-dir $lab/bpf/$engine
	is "$(wrong $lab/even)" "$right" "$engine: and blocks the same"
	tegd_end TERM
	nft delete table inet tegumentar
	nft delete table netdev tegumentar 2>/dev/null
	rm -rf $lab/bpf/$engine
	ip link set dev w0 xdp off 2>/dev/null
done
done_testing
