#!/bin/bash
# A host that trusts one key: what it takes, what it refuses, and that a refusal changes nothing.
. tests/lib/live.bash

bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/'
mkdir $lab/keys
"$BUILD/tegc" keygen $lab/keys/release >/dev/null && "$BUILD/tegc" keygen $lab/stranger >/dev/null || { echo "Bail out! no keys"; exit 1; }
sign() { "$BUILD/tegc" sign --key "$1" ${3:+--serial $3} -o $lab/"$4" $lab/"$2".tegb; }
sign $lab/keys/release.key one 5 one-5
sign $lab/keys/release.key two 6 two-6
sign $lab/keys/release.key two 5 two-5
sign $lab/keys/release.key one 7 one-7
sign $lab/stranger.key two 9 stranger-9
applies() { ctl apply "$@" 2>&1; echo "exit $?"; }
now() { status '.generation, .policy.version, .intact' | xargs; }

ok "tegd starts" tegd_start --engine nft --trusted-keys $lab/keys --require-signature yes --bundle $lab/one-5
is "$(now)" "1 1 true" "with a signed bundle"
holds "$(cat $lab/log)" "is signed by release.pub" "and says who signed it"
digest=$(status .nft_digest)

holds "$(applies $lab/two.tegb)" "it is not signed" "an unsigned bundle is refused"
holds "$(applies $lab/stranger-9)" "which is not trusted here" "a stranger's is refused"
holds "$(applies $lab/two-5)" "serial 5 is in force with another content" "one of the same serial is refused"
holds "$(applies $lab/two-5)" "exit 2" "with exit code 2"
is "$(now), $(status .nft_digest)" "1 1 true, $digest" "and nothing has changed"
holds "$(ctl --json apply $lab/two.tegb 2>/dev/null | jq -r '.part, .code' | xargs)" "signature refused" "the api says which part refused"

holds "$(applies $lab/two-6)" "generation 2 is active" "the next serial is taken"
holds "$(applies $lab/one-5)" "its serial is 5, and 6 is in force" "the old one is not taken back"
is "$(now)" "2 2 true" "so it stays"
holds "$(applies $lab/one-7)" "generation 3 is active" "the old content signed anew is"
holds "$(applies --allow-downgrade $lab/two-6)" "generation 4 is active" "and so is an older one that is asked for"

# The serial outlives tegd, and goes with the content's newest signature.
sign $lab/keys/release.key two 8 two-8
holds "$(applies $lab/two-8)" "generation 5 is active" "the same content may move on to a higher serial"
tegd_end KILL
ok "tegd starts again" tegd_start --engine nft --trusted-keys $lab/keys --require-signature yes
is "$(status '.adopted, .generation' | xargs)" "adopted 5" "and adopts what it finds"
holds "$(applies $lab/one-7)" "its serial is 7, and 8 is in force" "the serial is remembered"

# A key that is taken away is trusted no more, at once; what is in force stays.
sign $lab/keys/release.key one 9 one-9
mv $lab/keys/release.pub $lab/gone.pub
cp $lab/stranger.pub $lab/keys/
holds "$(applies $lab/one-9)" "which is not trusted here" "a key that was taken away is trusted no more"
tegd_end TERM
ok "tegd starts once more" tegd_start --engine nft --trusted-keys $lab/keys --require-signature yes
is "$(status '.generation, .intact' | xargs)" "5 true" "what was taken before stays in force"
done_testing
