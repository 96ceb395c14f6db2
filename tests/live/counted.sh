#!/bin/bash
# The counters of a policy of very many rules are asked for by name, in parts: a change that comes meanwhile does not wait for all of them.
. tests/lib/live.bash
command -v strace >/dev/null || { echo "1..0 # SKIP no strace"; exit 0; }

long() { # long NUMBER OUT
	python3 - $1 >$lab/long.teg <<'P'
import sys
print('zone wan = "w0"\nnet bogons = [203.0.113.0/24]\nblock bogons on wan\nposture OPEN {\n    default drop')
for i in range(int(sys.argv[1])):
    if i == 300: # of a message's 256 questions, none of the first
        print("    ping: allow icmp echo to self")
    print(f"    p{i}: allow tcp from 10.77.{i >> 8}.{i & 255} to self port {i + 1}")
print("}")
P
	"$BUILD/tegc" build --no-proofs $lab/long.teg -o $2 2>/dev/null
}
long 15100 $lab/long.tegb
long 15200 $lab/longer.tegb
ok "tegd starts" tegd_start --engine nft --require-proofs no --drift-seconds 0 --bundle $lab/long.tegb
is "$(pings 10.9.0.1), $(pings 10.9.0.1 -I 203.0.113.5)" "answered, silent" "a ping is answered, and a bogon's is not"
counted() { jq -c '[.at_ns > 0, (.rules | length) > 15100, (.rules[] | select(.id == "OPEN.ping" or .id == "block.bogons") | .packets)]' "$1"; }
ctl --json counters >$lab/counters
is "$(counted $lab/counters)" "[true,true,1,1]" "layer 4's counters are read, and those on arrival"

# Each question's answer takes a while, as long as this is needed. The api waits 5 s for all of them: where strace alone takes so long, on a slow
# machine, it says so, and they are asked for again.
late() { grep -q "no answer within" $lab/counters $lab/said; }
slowly() { # slowly CLAIM COMMAND...: the command, once counters are under way; they are answered behind it
	rm -f $lab/trace $lab/counters
	strace -qq -o $lab/trace -e trace=recvfrom -e inject=recvfrom:delay_exit=100 -p $tegd_pid &
	until [ -s $lab/trace ]; do ctl status >/dev/null 2>&1; sleep 0.05; done
	local from=$(wc -l <$lab/trace)
	ctl --json counters >$lab/counters 2>$lab/said &
	local counting=$!
	until [ $(($(wc -l <$lab/trace) - from)) -gt 300 ]; do sleep 0.01; done
	ok "$1" "${@:2}"
	ok "while they are under way" eval "kill -0 $counting 2>/dev/null || late"
	kill -INT %strace
	wait %strace $counting 2>/dev/null
	! late || ctl --json counters >$lab/counters
}
slowly "a source is blocked" ctl block 198.51.100.9 --for 1h
is "$(counted $lab/counters)" "[true,true,1,1]" "and they are answered"
ok "two at once are answered" eval 'ctl --json counters >$lab/one & ctl --json counters >$lab/two; wait $!'
is "$(counted $lab/one) $(counted $lab/two)" "[true,true,1,1] [true,true,1,1]" "alike"
ctl --json counters >$lab/counters &
ok "another policy comes" ctl apply $lab/longer.tegb
wait $!
is "$(jq '.at_ns > 0 and (.rules | length > 15100)' $lab/counters)" true "counters that were asked for before are answered"
is "$(ctl --json counters | jq '.rules | length > 15200')" true "and those of the other policy"
done_testing
