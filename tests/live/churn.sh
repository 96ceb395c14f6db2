#!/bin/bash
# Somebody else changes nftables all the time, as containers and clusters do. The counters of a long policy are read all the same.
. tests/lib/live.bash
command -v strace >/dev/null || { echo "1..0 # SKIP no strace"; exit 0; }

python3 - >$lab/long.teg <<'P'
print('zone wan = "w0"\nposture OPEN {\n    default drop\n    ping: allow icmp echo to self')
for i in range(4000):
    print(f"    p{i}: allow tcp from 10.77.{i >> 8}.{i & 255} to self port {i + 1}")
print("}")
P
"$BUILD/tegc" build --no-proofs $lab/long.teg -o $lab/long.tegb 2>/dev/null
ok "tegd starts" tegd_start --engine nft --require-proofs no --bundle $lab/long.tegb
pings 10.9.0.1 >/dev/null

# Others' counters stand before ours, so that each change also moves the places of ours.
nft 'add table inet a_foreign'
tests/lib/churn.py &
changing=$!
# Each part of a listing is slowed, so that none is without a change meanwhile, however busy the machine is.
strace -qq -o $lab/trace -e trace=recvfrom -e inject=recvfrom:delay_exit=3000 -p $tegd_pid &
slowing=$!
until [ -s $lab/trace ]; do sleep 0.05; done
answered=0
for i in $(seq 5); do
	[ "$(ctl --json counters | jq -c '[.at_ns > 0, (.rules | length) > 4000, (.rules[] | select(.id == "OPEN.ping") | .packets)]')" = "[true,true,1]" ] &&
		answered=$((answered + 1))
done
is $answered 5 "counters are answered each time, and none is missing"
ok "others change their tables all the time" kill -0 $changing
ok "a source is blocked" ctl block 198.51.100.9 --for 1h
kill -INT $slowing
kill $changing
wait $changing $slowing 2>/dev/null
done_testing
