#!/bin/bash
# The other version of tegd is killed as it enters a system call, while it takes over: one of both judges, and the next start finishes.
# Runs: other/tegd
. tests/lib/live.bash
command -v strace >/dev/null || { echo "1..0 # SKIP strace is not installed (apt-get install strace)"; exit 0; }
ldd "$BUILD/tegd" | grep -q libasan && { echo "1..0 # SKIP the sanitizers' runtime traces too"; exit 0; }

ip link add w1 type veth peer name c1 netns outside
ip link set w1 up && ip -n outside link set c1 up
bundle $lab/one.tegb 's/zone wan = "w0"/zone wan = "w*"/'
servers 80 8080
ip -n outside addr add 10.9.0.4/24 dev c0
flags="--engine native --drift-seconds 0"
judged() { echo "$(reaches 80), $(reaches 8080), $(pings 10.9.0.1 -I 203.0.113.5), $(pings 10.9.0.1 -I 10.9.0.4)"; }
traced() { # traced STRACE-FLAG...: the other version, from its start to its end
	strace -qq -o $lab/trace "$@" "$BUILD/other/tegd" --state-dir $lab/state --run-dir $lab/run --pin-dir $lab/bpf/teg $flags \
		>>$lab/log 2>&1 </dev/null &
	tracer=$!
}

ok "tegd starts" tegd_start $flags
ok "a policy is in force" ctl apply $lab/one.tegb
ok "a source is blocked" ctl block 10.9.0.4 --for 1h
is "$(judged)" "open, shut, silent, silent" "and packets tell"
tegd_end TERM

# How many calls of each kind: until the first poll() with which it waits.
traced
for i in $(seq 100); do ctl status >/dev/null 2>&1 && break; sleep 0.05; done
kill $(pgrep -P $tracer)
wait $tracer
calls() { sed '/^poll(/,$d' $lab/trace | grep -c "^$1("; }
bpf=$(calls bpf) all=$(sed '/^poll(/,$d' $lab/trace | wc -l)
ok "it takes over in some calls, of which some are bpf()" [ $bpf -gt 40 -a $all -gt 200 ]

# The second interface cannot be had: the first gets the program of before back, and both judge as before.
second=$(grep "^bpf(" $lab/trace | grep -n BPF_LINK_UPDATE | sed -n '2s/:.*//p')
back() { tegd=$BUILD/tegd tegd_start $flags && { ctl block 10.9.0.4 --for 1h >/dev/null; tegd_end TERM; }; }
anchors() { local pin; for pin in $lab/bpf/teg/link_*; do bpftool -j link show pinned $pin | jq .prog_id; done | xargs; }
ok "it goes back to the version before" back
before=$(anchors)
traced -e inject=bpf:error=EPERM:when=$second
ok "a link that cannot be had" bash -c "for i in \$(seq 100); do $BUILD/tegctl --socket $lab/run/api.sock status >/dev/null 2>&1 && exit; sleep 0.05; done; false"
holds "$(status .fault)" "cannot put the anchor on interface" "is told"
is "$(judged), $(anchors)" "open, shut, silent, silent, $before" "all is as before"
kill $(pgrep -P $tracer)
wait $tracer
tegd=$BUILD/other/tegd
ok "the next start" tegd_start $flags
is "$(status '.intact, .fault' | xargs), $(judged)" "true, open, shut, silent, silent" "takes over"
tegd_end TERM

# Around the call that puts the new anchor in the old one's place; then a spread of all. As many as fit into KILL_SECONDS, and five; 0: every one.
link=$(grep "^bpf(" $lab/trace | grep -n -m1 BPF_LINK_UPDATE | cut -d: -f1)
points=$(for n in 0 -1 1 -6 4 -3 -12 8 -2 2 -24; do echo bpf:$((link + n)); done; seq $((all / 9)) $((all / 9)) $all | sed 's/^/all:/')
budget=${KILL_SECONDS:-40}
wrong=0 unfinished=0 killed=0 through=0
for point in $points; do
	[ $budget = 0 -o $killed -lt 5 -o $SECONDS -lt $budget ] || break
	back || break
	traced -e inject=${point%:*}:signal=KILL:when=${point#*:}
	wait $tracer 2>/dev/null
	killed=$((killed + 1))
	[ "$(judged)" = "open, shut, silent, silent" ] || { echo "# killed at $point: $(judged)"; wrong=$((wrong + 1)); }
	tegd=$BUILD/other/tegd tegd_start $flags
	[ "$(status .adopted)" = adopted ] && through=$((through + 1)) finished="$finished $point"
	[ "$(status .intact), $(judged)" = "true, open, shut, silent, silent" ] && [ $(ls $lab/bpf/teg | grep -cE "^(teg|anchor).*_[0-9]{1,3}\$") = 0 ] ||
		{ echo "# killed at $point, and a start: $(status '.intact, .fault' | xargs), $(judged)"; unfinished=$((unfinished + 1)); }
	tegd_end TERM
done
echo "# $through of $killed had come through:$finished"
ok "it is killed at calls of its start" [ $killed -ge 5 ]
is "$wrong" 0 "then one of both judges"
is "$unfinished" 0 "and the next start finishes"
done_testing
