#!/bin/bash
# Somebody else changes nftables all the time, as containers and clusters do. The counters of a long policy are read all the same;
# nothing is taken for altered that was not, and what was is found.
. tests/lib/live.bash
command -v strace >/dev/null || { echo "1..0 # SKIP no strace"; exit 0; }

# long NUMBER [WORD]: so many rules
long() {
	python3 - "$@" >$lab/long.teg <<'P'
import sys
print('zone wan = "w0"\nposture OPEN {\n    default drop\n    ping: allow icmp echo to self')
for i in range(int(sys.argv[1])):
    print(f"    p{i}: allow tcp from 10.77.{i >> 8}.{i & 255} to self port {i + 1} {' '.join(sys.argv[2:])}")
print("}")
P
	"$BUILD/tegc" build --no-proofs $lab/long.teg -o $lab/long.tegb 2>/dev/null
}
# Others' objects stand before ours, so that each change also moves the places of ours. Each part of a listing is slowed, so that
# none is without a change meanwhile, however busy the machine is.
churn() {
	nft 'add table inet a_foreign'
	tests/lib/churn.py &
	changing=$!
	strace -qq -o $lab/trace -e trace=recvfrom -e inject=recvfrom:delay_exit=3000 -p $tegd_pid &
	slowing=$!
	until [ -s $lab/trace ]; do sleep 0.05; done
}
calm() {
	ok "others change their tables all the time" kill -0 $changing
	kill -INT $slowing
	kill $changing
	wait $changing $slowing 2>/dev/null
	rm -f $lab/trace
}

long 4000
ok "tegd starts" tegd_start --engine nft --require-proofs no --drift-seconds 1 --bundle $lab/long.tegb
pings 10.9.0.1 >/dev/null
churn
answered=0
for i in $(seq 5); do
	[ "$(ctl --json counters | jq -c '[.at_ns > 0, (.rules | length) > 4000, (.rules[] | select(.id == "OPEN.ping") | .packets)]')" = "[true,true,1]" ] &&
		answered=$((answered + 1))
done
is $answered 5 "counters are answered each time, and none is missing"
ok "a source is blocked" ctl block 198.51.100.9 --for 1h
for i in $(seq 5); do status '[.intact, .unknown_since]|tostring'; done | sort | uniq -c | xargs >$lab/answers
is "$(cat $lab/answers)" "5 [true,null]" "what judges is read each time, and is whole"
is "$(status '.drift.found, .generation' | xargs)" "0 1" "nothing is taken for altered"
chain=$(nft list chains | sed -n 's/.*chain \([ab]_hook_in\) .*/\1/p' | head -1)
nft insert rule inet tegumentar "$chain" accept
for i in $(seq 100); do [ "$(status .drift.repaired)" = 1 ] && break; sleep 0.1; done
is "$(status '.drift.found, .drift.repaired, .intact' | xargs)" "1 1 true" "a foreign rule in our table is found all the same, and repaired, once"
calm

# What cannot be read at all: the kernel's answers do not come.
strace -qq -o $lab/trace -e trace=recvfrom -e inject=recvfrom:error=EAGAIN -p $tegd_pid &
slowing=$!
until [ -s $lab/trace ]; do sleep 0.05; done
is "$(status '[.intact, (.unknown_since | type), .drift.found, .drift.repaired] | tostring')" '[null,"string",1,1]' "what cannot be read is neither intact nor altered, and not repaired"
holds "$(ctl status)" "not known whether intact" "tegctl says so"
kill -INT $slowing
wait $slowing 2>/dev/null
is "$(status '[.intact, .unknown_since, .drift.found] | tostring')" "[true,null,1]" "when it can be read again it is known"
tegd_end TERM

# A rule that logs has a chain of its own, and chains of others move the places of ours.
rm -rf $lab/state
nft flush ruleset
long 1500 log
ok "tegd starts with rules that log" tegd_start --engine nft --require-proofs no --drift-seconds 1 --bundle $lab/long.tegb
churn
for i in $(seq 3); do status '[.intact, .unknown_since]|tostring'; done | sort | uniq -c | xargs >$lab/answers
is "$(cat $lab/answers)" "3 [true,null]" "chains and rules of many parts are read each time, and are whole"
is "$(status '.drift.found, .drift.repaired, .generation' | xargs)" "0 0 1" "and nothing is repaired"
calm
is "$(status '.drift.found, .intact, .unknown_since' | xargs)" "0 true null" "once nobody changes anything it is known again"
done_testing
