#!/bin/bash
# A bundle that was made without proofs: it says so wherever it is looked at, and a host takes it only when told to.
. tests/lib/live.bash

applies() { ctl apply "$@" 2>&1; echo "exit $?"; }
(cat tests/live/edge.teg; echo "order LOCKDOWN <= BALANCED <= EXPLORE") > $lab/edge.teg
"$BUILD/tegc" build $lab/edge.teg -o $lab/proved.tegb
ok "a bundle is made without proofs" "$BUILD/tegc" build --no-proofs $lab/edge.teg -o $lab/quick.tegb
"$BUILD/tegc" build --no-proofs $lab/edge.teg -o $lab/again.tegb
ok "the same input, the same bytes" cmp $lab/quick.tegb $lab/again.tegb
holds "$("$BUILD/tegc" disasm $lab/quick.tegb | grep -i proved)" "NOT PROVED" "tegc disasm says so"
is "$("$BUILD/tegc" disasm $lab/proved.tegb | grep -i proved)" "proved" "and of the other that it was proved"

# What nobody proves may be wrong.
(cat $lab/edge.teg; printf 'invariant shut {\n    in every posture: tcp to self port 22 is dropped\n}\n') > $lab/wrong.teg
"$BUILD/tegc" build $lab/wrong.teg -o $lab/wrong.tegb >$lab/said 2>&1
is "$?" 2 "a claim that does not hold keeps a bundle from being made"
ok "without proofs it does not" "$BUILD/tegc" build --no-proofs $lab/wrong.teg -o $lab/wrong.tegb

ok "tegd starts" tegd_start --engine nft --bundle $lab/proved.tegb
is "$(status .policy.proved)" true "with a bundle that was proved"
is "$(status '.postures[1].no_wider_than[]')" EXPLORE "and with it that a posture is within another"
holds "$(applies $lab/quick.tegb)" "it was made without proofs" "one that was not is refused"
holds "$(applies $lab/quick.tegb)" "exit 2" "with exit code 2"
is "$(ctl --json apply $lab/quick.tegb 2>/dev/null | jq -r '.part, .code' | xargs)" "proofs refused" "the api says why"
is "$(status '.generation, .intact' | xargs)" "1 true" "and nothing has changed"
is "$(ctl plan $lab/quick.tegb --json | jq .proved)" false "its plan says so"
holds "$(ctl plan $lab/quick.tegb)" "NOT PROVED" "to people too"
tegd_end TERM

ok "a tegd that was told to starts" tegd_start --engine nft --require-proofs no
holds "$(applies $lab/quick.tegb)" "generation 2 is active" "and takes it"
is "$(status .policy.proved)" false "the status says so"
holds "$(ctl status)" "NOT PROVED" "and tegctl"
is "$(status '.postures[1].no_wider_than | length')" 0 "it is not known that a posture is within another"
tegd_end TERM
ok "a tegd that was not told to starts again" tegd_start --engine nft
is "$(status '.generation, .intact, .policy.proved' | xargs)" "2 true false" "what was taken before stays in force, and says what it is"
holds "$(applies $lab/proved.tegb)" "generation 3 is active" "until another comes"
is "$(status .policy.proved)" true "that was proved"
done_testing
