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
tegd_end TERM

# Each listing of more than a part is disturbed, however often it is asked for.
"${CC:-cc}" -D_GNU_SOURCE -shared -fPIC -o $lab/disturbed.so tests/lib/preload/disturbed.c -ldl || { echo "Bail out! no compiler"; exit 1; }
printf '#!/bin/sh\nDISTURBED=%s ASAN_OPTIONS=verify_asan_link_order=0:$ASAN_OPTIONS LD_PRELOAD=%s exec %s "$@"\n' \
	$lab/disturbances $lab/disturbed.so "$(realpath "$BUILD/tegd")" >$lab/tegd
chmod +x $lab/tegd
tegd=$lab/tegd
disturb() { printf '%09d\n' $1 >$lab/disturbances; }
sets() { # sets VERSION: a set of hosts for each of 300 rules
	python3 - $1 >$lab/sets.teg <<'P'
import sys
print(f'policy sets "Many sets" {{\n    version "{sys.argv[1]}"\n}}\nzone wan = "w0"')
for i in range(300):
    print(f"net n{i} = [{', '.join(f'10.{i >> 8}.{i & 255}.{k}' for k in range(1, 160, 2))}]")
print("posture OPEN {\n    default drop\n    ping: allow icmp echo to self")
for i in range(300):
    print(f"    p{i}: allow tcp from n{i} to self port {i + 1} log")
print("}")
P
	"$BUILD/tegc" build --no-proofs $lab/sets.teg -o $lab/sets-$1.tegb
}
looked_for() { nft list chain netdev tegumentar "$(nft list chains netdev | sed -n 's/.*chain \([ab]\)_hook_ingress.*/\1_nets/p' | head -1)" | grep -c blockednets; }
rm -rf $lab/state
nft flush ruleset
disturb 0
sets 1 && sets 2
ok "tegd starts with many sets" tegd_start --engine nft --require-proofs no --drift-seconds 0 --bundle $lab/sets-1.tegb
ok "a network is blocked" ctl block 198.51.100.0/24 --for 1h
disturb 900000000
ok "a policy is rolled out while each long listing is disturbed" ctl apply $lab/sets-2.tegb
is "$(looked_for) $(status '[.generation, .intact] | tostring')" "1 [2,true]" "nft looks for the blocked network, and all is whole"
ok "another network is blocked" ctl block 198.51.101.0/25 --for 1h
is "$(looked_for) $(grep -c 'not all runtime blocks' $lab/log)" "2 0" "and looked for"
is "$(ctl --json counters | jq '.rules | length > 300')" true "counters are read"
done_testing
