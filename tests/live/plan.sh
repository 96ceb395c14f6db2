#!/bin/bash
# What a bundle would change is told before anything is staged; and what was planned is applied, once, on what it was planned for.
. tests/lib/live.bash

ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
plan() { ctl plan "$1" --json > $lab/plan && jq -r "$2" $lab/plan; } # plan BUNDLE FILTER
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/; s/port 80$/port [80, 8080]/; s/ping:/echo_in:/'
ok "tegd starts" tegd_start --engine nft
is "$(plan $lab/one.tegb '[.base, .policy, .version, .posture, .same, .text_complete] | join(" ")')" "0 edge 1 BALANCED false true" "a plan for a host without a policy"
is "$(jq '[(.rules_added | length > 5), (.rules_removed | length)] | join(" ")' -r $lab/plan)" "true 0" "all rules are new"
is "$(jq .base_known $lab/plan)" true "that there is none is known"
is "$(status .generation), $(ls $lab/state | grep -c bundles)" "0, 0" "nothing was staged"
ok "it is applied" ctl apply $lab/one.tegb --plan "$(jq -r .plan $lab/plan)"
is "$(status .generation)" 1 "and in force"
ok "a plan holds once: 75" ends 75 ctl apply $lab/one.tegb --plan "$(jq -r .plan $lab/plan)"
is "$(plan $lab/one.tegb '[.same, .rules_added + .rules_removed, .text] | tostring')" '[true,[],""]' "the same again would change nothing"
is "$(plan $lab/two.tegb '[.same, .version, (.rules_added | any(endswith(".echo_in"))), (.rules_removed | any(endswith(".ping")))] | join(" ")')" "false 2 true true" \
	"another one does: rules by their names"
holds "$(jq -r .text $lab/plan)" "+    echo_in: allow in" "and the policy line by line"
ctl plan $lab/two.tegb > $lab/said
holds "$(cat $lab/said)" "tegc diff now.tegb" "for a person, with the way to the meaning"
mine=$(sed -n 's/.*--plan //p' $lab/said)
ok "the plan of one bundle is not that of another: 75" ends 75 ctl apply $lab/one.tegb --plan "$mine"
ok "a plan that was never made: 75" ends 75 ctl apply $lab/two.tegb --plan 00000000000000000000000000000000
bundle $lab/three.tegb 's/version "1"/version "3"/'
ok "somebody else changes the policy" ctl apply $lab/three.tegb
ok "then the plan is stale: 75" ends 75 ctl apply $lab/two.tegb --plan "$mine"
holds "$(cat $lab/said)" "is in force" "which is told"
is "$(status .policy.version)" 3 "and nothing changed"
is "$(plan - .version <$lab/two.tegb)" 2 "a bundle comes through standard input too"
ok "to be applied" ctl apply - < <(cat $lab/two.tegb)
is "$(status .policy.version)" 2 "as it is"
ok "nothing through it has no plan: 2" ends 2 ctl plan - </dev/null
head -c 9000 $lab/two.tegb > $lab/short.tegb
ok "half a bundle has no plan: 2" ends 2 ctl plan $lab/short.tegb
head -c 9000 /dev/urandom > $lab/noise.tegb
ok "nor has noise: 2" ends 2 ctl plan $lab/noise.tegb
: > $lab/empty.tegb
ok "nor nothing: 2" ends 2 ctl plan $lab/empty.tegb
is "$(grep -c '"what":"plan"' $lab/state/audit.log)" 0 "a plan is no change"
done_testing
