#!/bin/bash
# Another version of tegd takes over from what one has pinned, under load; and back. `later` has other tables of
# generations, `other` another layout of every pinned map too (Makefile).
. tests/lib/live.bash

bundle $lab/one.tegb
servers 80 8080
# What no generation lets by, on its way behind the first hook and behind layer 4.
nft -f - <<-'END'
	table ip witness {
		counter first { }
		counter fourth { }
		chain early {
			type filter hook prerouting priority -300
			ip saddr { 203.0.113.5, 10.9.0.3 } counter name first
		}
		chain late {
			type filter hook input priority 10
			udp dport 5000 counter name fourth
		}
	}
END
slipped() { nft -j list counters table ip witness | jq -r '[.nftables[].counter.packets // empty] | join(" ")'; }
now() { status '.generation, .policy.version, .intact, .interfaces[0].engine, .fault' | xargs; }
pins() { ls $lab/bpf/teg | grep -cE "^(teg|anchor).*_$1\$"; } # pins FORM

loads=
load() { "$@" >/dev/null 2>&1 & loads="$loads $!"; }
load_begins() {
	loads=
	load outside ping -i 0.002 -q -I 203.0.113.5 10.9.0.1
	load outside ping -i 0.002 -q -I 10.9.0.3 10.9.0.1
	load outside hping3 -q --udp -p 5000 -i u2000 10.9.0.1
	outside ping -i 0.002 -q -W1 -I 10.9.0.2 10.9.0.1 >$lab/pings 2>&1 & loads="$loads $!"
	sleep 0.3
}
load_ends() { # what of the admitted got no answer
	sleep 0.3
	kill -INT $(for job in $loads; do pgrep -P $job || echo $job; done)
	wait $loads 2>/dev/null
	awk '/transmitted/ { print ($1 > 100 ? $1 - $4 : "too few"), "lost" }' $lab/pings
}

for v in later other; do
	tegd=
	ok "$v: tegd starts" tegd_start --engine native --drift-seconds 0
	ok "$v: a policy is in force" ctl apply $lab/one.tegb
	ok "$v: a source is blocked" ctl block 10.9.0.3 --for 10m
	pings 10.9.0.1 -I 203.0.113.5 >/dev/null
	generation=$(status .generation)
	bogons=$(counter block.bogons)
	tegd_end TERM

	load_begins
	printf '#!/bin/bash\nexec strace -f -r -o /tmp/tegd.trace '$PWD/$BUILD/$v/tegd' "$@"' >$lab/straced; chmod +x $lab/straced
	tegd=$lab/straced
	ok "$v: the new version starts" tegd_start --engine native --drift-seconds 0
	is "$(load_ends)" "0 lost" "$v: and nothing is lost that passes"
	is "$(slipped)" "0 0" "$v: no packet slips by that nothing admits"
	is "$(now)" "$generation 1 true xdp-native" "$v: the generation is in force, and whole"
	ls $lab/bpf/teg; ctl block; ctl audit; cat $lab/log; counter block.bogons; echo $bogons
	tegd_end TERM
done
done_testing
