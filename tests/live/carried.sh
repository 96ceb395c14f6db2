#!/bin/bash
# What was counted, who is blocked until when, and how full the buckets are goes on through a rollout and a rollback.
. tests/lib/live.bash
bundle $lab/one.tegb 's/30 per 1s/30 per 1h/'
bundle $lab/two.tegb 's/30 per 1s/30 per 1h/; s/version "1"/version "2"/; s/port 80$/port [80, 8080]/'
syns() { # syns N SOURCE: from the outside, one after the other
	outside hping3 -q -S -p 80 -c "$1" -i u500 -a "$2" 10.9.0.1 >/dev/null 2>&1
}
strikes() { counter reflex.syn_flood; }
ends() { ctl block --json | jq -r '.blocks[] | select(.source == "10.9.0.3") | .until | fromdate'; }
near() { [ $(($1 - $2)) -le 1 ] && [ $(($2 - $1)) -le 1 ] || { echo "# $1, not about $2"; false; }; }

for engine in native nft; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/one.tegb
	pings 10.9.0.1 -I 203.0.113.5 >/dev/null
	is "$(counter block.bogons)" 1 "$engine: a packet is counted"
	ok "$engine: a source is blocked for five minutes" ctl block 10.9.0.3 --for 5m
	until=$(ends)
	outside ip addr add 10.9.0.40/24 dev c0 2>/dev/null
	outside ip addr add 10.9.0.41/24 dev c0 2>/dev/null
	syns 20 10.9.0.40
	syns 20 10.9.0.41
	is "$(strikes)" 0 "$engine: two sources stay below the rate"

	ok "$engine: a rollout" ctl apply $lab/two.tegb
	is "$(counter block.bogons)" 1 "$engine: the count is what it was"
	ok "$engine: the block ends when it would have ended" near "$(ends)" "$until"
	is "$(pings 10.9.0.1 -I 10.9.0.3)" silent "$engine: and cuts"
	syns 15 10.9.0.40
	is "$(strikes)" 1 "$engine: a bucket is as full as it was: the source is struck"

	ok "$engine: a rollback" ctl rollback
	is "$(status .policy.version)" 1 "$engine: to the old policy"
	pings 10.9.0.1 -I 203.0.113.5 >/dev/null
	is "$(counter block.bogons)" 2 "$engine: the count goes on"
	ok "$engine: the block ends when it would have ended" near "$(ends)" "$until"
	is "$(pings 10.9.0.1 -I 10.9.0.3)" silent "$engine: and cuts"
	syns 15 10.9.0.41
	is "$(strikes)" 2 "$engine: the other's bucket was carried through both"
	tegd_end TERM
	rm -rf $lab/state $lab/bpf/teg
	nft flush ruleset
done
done_testing
