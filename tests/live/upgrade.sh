#!/bin/bash
# Another version of tegd takes over from what one has pinned, under load; and back. `later` has other tables of
# generations, `other` another layout of every pinned map too (Makefile).
# Runs: later/tegc later/tegd other/tegc other/tegd
. tests/lib/live.bash

bundle $lab/one.tegb
servers 80 8080
engine=${1-native}
judge=$([ $engine = tc ] && echo tc || echo xdp-$engine)
# What no generation lets by, on its way behind the first hook and behind layer 4.
nft -f - <<-'END'
	table ip witness {
		set shut {
			type ipv4_addr
			elements = { 203.0.113.5, 10.9.0.3, 10.9.0.42 }
		}
		counter first { }
		counter fourth { }
		chain early {
			type filter hook prerouting priority -300
			ip saddr @shut counter name first
		}
		chain late {
			type filter hook input priority 10
			udp dport 5000 counter name fourth
		}
	}
END
slipped() { nft -j list counters table ip witness | jq -r '[.nftables[].counter.packets // empty] | join(" ")'; }
now() { status '.generation, .policy.version, .intact, .interfaces[0].engine, .fault' | xargs; }
ours="[0-9]{1,3}"
blocks() { ctl --json block | jq -c '.blocks | sort_by(.source)'; }
outside ip addr add 10.9.0.42/24 dev c0
pins() { ls $lab/bpf/teg | grep -cE "^(teg|anchor).*_$1\$"; } # pins FORM

load_begins() {
	local from

	for from in 203.0.113.5 10.9.0.3 10.9.0.42; do outside ping -i 0.002 -q -I $from 10.9.0.1 >/dev/null 2>&1 & done
	outside hping3 -q --udp -p 5000 -i u2000 10.9.0.1 >/dev/null 2>&1 &
	outside ping -i 0.002 -q -W1 -I 10.9.0.2 10.9.0.1 >$lab/pings 2>&1 &
	for _ in $(seq 200); do [ "$(pgrep -cx ping) $(pgrep -cx hping3)" = "4 1" ] && break; sleep 0.02; done
	sleep 0.3
}
load_ends() { # what of the admitted got no answer
	sleep 0.3
	kill -INT $(pgrep -x ping)
	kill $(pgrep -x hping3)
	while pgrep -x 'ping|hping3' >/dev/null; do sleep 0.02; done
	awk '/transmitted/ { print ($1 > 30 ? $1 - $4 : "too few"), "lost" }' $lab/pings
}
# changes TEGD: this one starts in place of the one that runs, under load
changes() {
	[ -z "$tegd_pid" ] || tegd_end TERM
	load_begins
	tegd=$1
	ok "$v: the other version starts" tegd_start --engine $engine --drift-seconds 0
	is "$(load_ends)" "0 lost" "$v: nothing is lost that passes"
	is "$(slipped)" "0 0" "$v: no packet slips by that nothing admits"
}
most() { [ "$1" -ge "$2" ] || { echo "$1 is less than $2"; false; }; }

for v in later other; do
	tegd=$BUILD/tegd
	ok "$v: tegd starts" tegd_start --engine $engine --drift-seconds 0
	ok "$v: a policy is in force" ctl apply $lab/one.tegb
	ok "$v: a source is blocked" ctl block 10.9.0.3 --for 10m
	ok "$v: and networks, one within another" ctl block 10.9.0.40/29 10.9.0.32/27 2001:db8:7::/48 --for 20m
	until=$(blocks)
	generation=$(status .generation)
	outside timeout 5 hping3 -q --icmp -a 203.0.113.5 -c 9000 -i u20 10.9.0.1 >/dev/null 2>&1 # more than while it is switched
	bogons=$(counter block.bogons)

	changes $BUILD/$v/tegd
	is "$(now)" "$generation 1 true $judge" "$v: the generation is in force, and whole"
	is "$(status .adopted)" restored "$v: it was put there anew"
	is "$(blocks)" "$until" "$v: the blocks stay, until when they were, by whom they were"
	is "$(ctl unblock 10.9.0.40/29 --json | jq -c .still_blocked)" '[{"source":"10.9.0.40/29","network":"10.9.0.32/27"}]' "$v: networks are known as such"
	is "$(outside ping -c1 -W0.4 -q -I 10.9.0.42 10.9.0.1 >/dev/null 2>&1 && echo answered || echo silent)" silent "$v: what lies in the wider one is blocked"
	ok "$v: counts go on" most "$(counter block.bogons)" "$bogons"
	is "$(pins "$ours")" "$([ $v = later ] && echo 13 || echo 0)" "$v: pins are of the layouts that there are"
	[ $v = later ] || ok "$v: the takeover is in the audit log" grep -q takeover $lab/state/audit.log
	changes $BUILD/$v/tegd
	is "$(status .adopted), $(now)" "adopted, $generation 1 true $judge" "$v: once more it is adopted"
	"$BUILD/$v/tegc" build $lab/edge.teg -o $lab/later.tegb
	ok "$v: a policy of that version is in force" ctl apply $lab/later.tegb

	changes $BUILD/tegd
	holds "$(status .fault)" "tables of version 1000, and this program reads " "$v: before it, that cannot be restored, and what to do is said"
	is "$(reaches 80), $(reaches 8080)" "open, shut" "$v: but it judges on"
	ok "$v: a policy that this version reads is applied" ctl apply $lab/one.tegb
	is "$(now)" "$((generation + 2)) 1 true $judge" "$v: and is in force, and whole"
	is "$(slipped)" "0 0" "$v: nothing slips by"
	is "$(pins 1000)" 0 "$v: nothing is left of the other version"
	tegd_end TERM
done

# Before pins' names said a layout.
tegd=$BUILD/tegd
tegd_start --engine $engine --drift-seconds 0 && ctl unblock 10.9.0.3 10.9.0.32/27 >/dev/null
tegd_end TERM
nft reset counters table ip witness >/dev/null
nft delete element ip witness shut '{ 10.9.0.3, 10.9.0.42 }'
for pin in $(pinned "(teg_|anchor).*"); do mv $pin ${pin%_*}; done
v=unnamed
changes $BUILD/tegd
is "$(status '.intact, .fault' | xargs)" "true" "unnamed: the generation is in force, and whole"
holds "$(tail -n 3 $lab/state/audit.log)" "are lost" "unnamed: what cannot be carried is said"
is "$(pins "$ours"), $(ls $lab/bpf/teg | grep -cE '^(teg_[a-z]*|anchor)$')" "13, 0" "unnamed: pins have names that say it now"
done_testing
