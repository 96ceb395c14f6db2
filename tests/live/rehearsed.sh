#!/bin/bash
# The policy's own tests run through the program that is being staged, before it judges a packet.
. tests/lib/live.bash
! linux_before 6.1 || { echo "1..0 # SKIP before Linux 6.1 no policy's test is run in the kernel"; exit 0; }

cat > $lab/tests.teg <<'END'
test "a source of bogons is dropped" {
    posture BALANCED
    icmp echo 203.0.113.5 -> self on wan               => drop by bogons
    tcp 198.51.100.7:40000 -> self:80 syn on wan       => allow by web
    tcp 198.51.100.7:40000 -> self:81 syn on wan       => drop by default
}
test "a flood is cut off, and for three seconds" {
    posture BALANCED
    31 * (tcp 198.51.100.7:40000 -> self:80 syn on wan) in 10ms => last drop by syn_flood
    tcp 198.51.100.7:40000 -> self:443 ack on wan       => drop by blocked
    tcp 198.51.100.8:40000 -> self:80 syn on wan        => allow by web
    after 4s
    tcp 198.51.100.7:40000 -> self:80 syn on wan        => allow by web
}
test "the owner comes in, and nobody else" {
    posture LOCKDOWN
    tcp 10.9.0.2:40000 -> self:22 syn on wan            => allow by lifeline
    tcp 10.9.0.3:40000 -> self:22 syn on wan            => drop by default
}
END
with_tests() { bundle "$1" "${2:+$2;}\$r $lab/tests.teg"; }
with_tests $lab/one.tegb
with_tests $lab/two.tegb 's/version "1"/version "2"/'
# 203.0.113.0/24 in its tables becomes 203.0.114.0/24.
ok "a bundle is made whose tables are not its policy's" tests/lib/reseal.py $lab/two.tegb $lab/wrong.tegb plan 007100cb 007200cb
# A block of 3 s becomes one of 12 days.
ok "and one that blocks for too long" tests/lib/reseal.py $lab/two.tegb $lab/longer.tegb plan 005ed0b200000000 005ed0b200ee0300
applies() { ctl apply "$@" 2>&1; echo "exit $?"; }
now() { status '"\(.generation) \(.policy.version) \(.intact) \(.policy.tests.run)+\(.policy.tests.not_run)"'; }

for engine in native generic; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/one.tegb
	is "$(now)" "1 1 true 5+4" "$engine: what the first hook decides was run"
	holds "$(ctl status)" "5 run, 4 not run on this engine" "$engine: and status tells it"
	is "$(counter block.bogons) $(counter reflex.syn_flood) $(ctl block --json | jq .total)" "0 0 0" \
		"$engine: nothing of it is counted or blocked"
	digest=$(status .nft_digest)

	says=$(applies $lab/wrong.tegb)
	holds "$says" 'test 1 "a source of bogons is dropped" does not hold' "$engine: altered tables are refused, and the test is named"
	holds "$says" "in case 1, 1 packet should be dropped by block.bogons" "$engine: and the packet, and the rule"
	holds "$says" "exit 2" "$engine: with exit code 2"
	is "$(ctl --json apply $lab/wrong.tegb 2>/dev/null | jq -r '.part, .code' | xargs)" "tests refused" "$engine: the api says which part refused"
	holds "$(applies $lab/longer.tegb)" 'test 2 "a flood is cut off, and for three seconds" does not hold' "$engine: time is asked too"
	is "$(now), $(status .nft_digest)" "1 1 true 5+4, $digest" "$engine: and what was in force is untouched"
	is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "$engine: and judges"

	holds "$(applies $lab/two.tegb)" "its tests: 5 run, 4 not run on this engine" "$engine: the sound one is taken, and tells of its tests"
	tegd_end KILL
	ok "$engine: tegd starts again" tegd_start --engine $engine
	is "$(status .adopted) $(now)" "adopted 2 2 true 5+4" "$engine: what was run is remembered"
	tegd_end TERM
	rm -rf $lab/state $lab/bpf/teg
	nft delete table inet tegumentar
	nft delete table netdev tegumentar 2>/dev/null
done

ok "nft: tegd starts" tegd_start --engine nft --bundle $lab/one.tegb
is "$(now)" "1 1 true 0+9" "nft: nothing could be run, and status says so"
ok "nft: so the altered tables are not noticed" ctl apply $lab/wrong.tegb
tegd_end TERM
ok "then native: tegd starts" tegd_start --engine native
is "$(status '"\(.generation) \(.intact) \(.policy.tests.run)+\(.policy.tests.not_run)"')" "2 false 0+9" \
	"then native: what was in force comes back, and is not called intact"
holds "$(status .fault)" 'test 1 "a source of bogons is dropped" does not hold' "then native: since its tests do not hold"
tegd_end KILL
ok "then native: tegd starts again" tegd_start --engine native
is "$(status .adopted)" adopted "then native: and adopts"
holds "$(status .fault)" 'test 1 "a source of bogons is dropped" does not hold' "then native: which does not make the tests hold"
ok "then native: the right tables" ctl apply $lab/one.tegb
is "$(status '.intact, .fault' | xargs)" "true" "then native: nothing is in doubt any more"
done_testing
