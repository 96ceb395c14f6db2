#!/bin/bash
# A card of several queues, on every engine: flows arrive through all of them, on all processors at once. Every frame is counted,
# a rate is one rate, whoever is blocked is blocked in each, and a switch under load lets nothing by.
queues=4
. tests/lib/live.bash
cpus=$(nproc)
[ $cpus -ge 2 ] || { echo "1..0 # SKIP one processor alone"; exit 0; }

ip -n outside addr add 203.0.113.6/24 dev c0
# Lines of sed.
rated='$a reflex many { match tcp flags syn/syn+ack to self on wan\n when rate per source > 20 per 1h\n do drop }'
quiet='/^reflex syn_flood/,/^}/d'
bundle $lab/one.tegb "$rated
$quiet"
bundle $lab/two.tegb "$rated
$quiet; s/version \"1\"/version \"2\"/; s/port 80\$/port [80, 8080]/"
servers 80

burst=100 # frames from each processor: no queue is ever full
spread() { outside python3 tests/lib/spread.py c0 "$(mac)" "$@"; }
bursts() { # bursts NAME SOURCE COUNT: so many bursts, each counted before the next; how far the counter went
	local before now i n

	before=$(counted "$1")
	for n in $(seq "$3"); do
		spread "$2" $burst $((1024 + n * 7 * cpus * burst % 60000))
		for i in $(seq 250); do
			now=$(($(counted "$1") - before))
			[ $now -ge $((n * cpus * burst - ${slack-0})) ] && break
			sleep 0.02
		done
	done
	echo $now
}
# Packets by the queue through which they came, of drivers that say so.
by_queue() { ethtool -S w0 2>/dev/null | sed -nE 's/^ *rx_queue_([0-9]+)_(xdp_)?packets: /\1 /p; s/^ *rx([0-9]+)_packets: /\1 /p' | sort -n; }
has_queues() { [ -e $cards ] && [ "$(by_queue | wc -l)" -ge 2 ] || [ ! -e $cards -a $engine = native ]; }
used() { join <(by_queue) <(echo "$before") | awk '$2 > $3' | wc -l; }

seen() { nft -j list table ip behind | jq --arg what "$1" '[.. | objects | select(.comment == $what) | .expr[] | .counter? // empty | .packets] | add'; }

declare -A named=([native]=xdp-native [generic]=xdp-generic [tc]=tc [nft]=nft)
for engine in native generic tc nft; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/one.tegb
	is "$(status .engine)" ${named[$engine]} "$engine: judges"
	before=$(by_queue)
	is "$(bursts block.bogons 203.0.113.5 5)" $((5 * cpus * burst)) "$engine: every frame of a block is counted, whatever its queue and processor"
	# A veth has queues where it runs XDP, and only then; cards of tests/vm/run, as many as TEG_VM_QUEUES says.
	has_queues && ok "$engine: several queues had them" [ "$(used)" -ge 2 ]
	is "$(slack=20 bursts reflex.many 10.9.0.3 3)" $((3 * cpus * burst - 20)) "$engine: a source has one bucket in all of them: 20 pass, and no more"
	ok "$engine: a source is blocked" ctl block 10.9.0.2 --for 10m
	is "$(bursts blocked 10.9.0.2 2)" $((2 * cpus * burst)) "$engine: in all of them"
	ctl unblock 10.9.0.2 >/dev/null

	# What a block cuts is not seen behind the first hook, at any moment of a switch.
	nft -f - <<-END
		table ip behind {
			chain seen {
				type filter hook prerouting priority -500
				ip saddr 203.0.113.0/24 counter comment "cut"
				ip saddr 10.9.0.2 icmp type echo-request counter comment "passes"
			}
		}
	END
	was=$(counted block.bogons)
	spread 203.0.113.6 0 &
	flood=$!
	for i in $(seq 250); do [ $(($(counted block.bogons) - was)) -gt 1000 ] && break; sleep 0.02; done
	was=$(counted block.bogons)
	for i in 1 2 3 4 5; do
		ctl apply $lab/two.tegb && ctl posture EXPLORE && ctl apply $lab/one.tegb && ctl posture BALANCED || break
	done >$lab/changes 2>&1
	kill $(pgrep -P $flood -x python3) 2>/dev/null
	wait $flood 2>/dev/null
	is "$(status '.generation, .posture, .intact' | xargs)" "11 BALANCED true" "$engine: ten rollouts and as many postures under a flood"
	ok "$engine: which was counted" [ $(($(counted block.bogons) - was)) -gt 100 ]
	pings 10.9.0.1 >$lab/answer
	is "$(seen cut) $(seen passes)" "0 1" "$engine: nothing of it passed the first hook, as a ping does"
	tegd_end TERM
	forget
done

# --- what is sent back
. tests/lib/cookies.bash
received() { nstat -asz TcpExtSyncookiesRecv | awk '$1 == "TcpExtSyncookiesRecv" { print $2 }'; }
from_all() { # six connections, from each processor in turn
	local i
	for i in 1 2 3 4 5 6; do (taskset -cp $((i % cpus)) $BASHPID >/dev/null; reaches 80); done | xargs
}
# A veth takes what XDP sends back when it has a program itself.
[ -e $cards ] || ip -n outside link set dev c0 xdpdrv object "$BUILD/bpf/anchor.bpf.o" section xdp
for engine in native generic tc; do
	ok "$engine: tegd starts with cookies" tegd_start --engine $engine --bundle $lab/cookies.tegb
	is "$(reaches 80)" open "$engine: what is within the rate passes"
	was=$(received)
	is "$(from_all)" "open open open open open open" "$engine: SYNs from every processor are answered"
	is "$(($(received) - was)) $(counter reflex.syn_flood)" "6 6" "$engine: each with a cookie, which came back"
	tegd_end TERM
	forget
done

# --- too few of them
ip link add name w1 numrxqueues 1 numtxqueues 1 type veth peer name c1 numrxqueues 4 numtxqueues 4 netns outside
ip link set w1 up
ip -n outside link set c1 up
bundle $lab/few.tegb 's/"w0"/"w1"/'
ok "auto: tegd starts on a veth that has fewer queues than its peer sends through" tegd_start --engine auto --bundle $lab/few.tegb
is "$(status '.interfaces[0] | .engine + ": " + .reason')" \
	"xdp-generic: the driver refuses native XDP: it has fewer queues than what is sent through (ethtool -L)" "generic XDP judges there, and says why"
tegd_end TERM
forget
ok "native: tegd starts" tegd_start --engine native --bundle $lab/few.tegb
is "$(status .generation)" 0 "but nothing is in force"
holds "$(cat $lab/log)" "w1 cannot have --engine native: the driver refuses native XDP: it has fewer queues" "and it is said why"
done_testing
