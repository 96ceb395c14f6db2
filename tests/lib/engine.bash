# One engine from a first bundle to an adopted one: ENGINE=native . tests/lib/engine.bash
. tests/lib/live.bash
declare -A named=([native]=xdp-native [generic]=xdp-generic [tc]=tc [nft]=nft)

servers 22 80 8080
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/; s/port 80$/port [80, 8080]/'

# --- a first policy
ok "tegd starts with a bundle" tegd_start --engine $ENGINE --bundle $lab/one.tegb
is "$(status .engine)" ${named[$ENGINE]} "the engine asked for judges on arrival"
is "$(status '.generation, .intact, .posture, .adopted' | xargs)" "1 true BALANCED fresh" "the first generation is whole"
is "$(reaches 80)" open "an admitted service is reached over IPv4"
is "$(reaches 80 fd00:9::1)" open "and over IPv6"
is "$(reaches 8080)" shut "another is not"
is "$(pings 10.9.0.1)" answered "ping passes"
is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "a blocked source is cut"
is "$(counter block.bogons)" 1 "and counted by the block's id"

# --- postures
ok "to LOCKDOWN" ctl posture LOCKDOWN
is "$(status '.posture, .intact' | xargs)" "LOCKDOWN true" "all parts stand in LOCKDOWN"
is "$(reaches 80)" shut "LOCKDOWN closes the service"
is "$(reaches 22)" open "the lifeline holds"
is "$(pings 10.9.0.1)" silent "nobody else passes"
ip neigh flush dev w0
ip -n outside neigh flush dev c0
is "$(reaches 22 10.9.0.1)" open "neighbours still find each other"
ok "to EXPLORE" ctl posture EXPLORE
is "$(status '.posture, .intact' | xargs)" "EXPLORE true" "all parts stand in EXPLORE"
is "$(reaches 8080)" open "EXPLORE opens everything"
is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "except what a block cuts"
ok "back to BALANCED" ctl posture BALANCED
is "$(reaches 8080)" shut "BALANCED is what it was"
ok "BALANCED again" ctl posture BALANCED
ok "a posture that is not there is refused" [ "$(ctl posture NONSENSE >/dev/null 2>&1; echo $?)" != 0 ]
is "$(status .posture)" BALANCED "and changes nothing"

# --- a rollout
ok "a second bundle is applied" ctl apply $lab/two.tegb
is "$(status '.generation, .policy.version' | xargs)" "2 2" "it is the second generation"
is "$(reaches 8080)" open "what it admits passes"
is "$(nft list tables | grep -c tegumentar)" "$(nft list tables | grep -c .)" "there are no tables but ours"
is "$(nft list chains | grep -c 'chain a_')" 0 "nothing is left of the first one's bank"
is "$(counter block.bogons)" 2 "counters go on through rollouts"
ok "and back" ctl apply $lab/one.tegb
is "$(nft list chains | grep -c 'chain b_')" 0 "banks alternate"
is "$(reaches 8080)" shut "the first policy again"

# --- a flood
outside hping3 -q -S -p 80 -i u100 -c 80 -a 10.9.0.3 10.9.0.1 >/dev/null 2>&1
is "$(counter reflex.syn_flood)" 1 "the packet over the rate strikes"
ok "its source is blocked" [ "$(counter blocked)" -ge 1 ]
is "$(reaches 80)" open "another client goes on"

# --- bad bundles
head -c 20000 $lab/one.tegb > $lab/short.tegb
sed 's/BALANCED/BALANKED/g' $lab/one.tegb > $lab/altered.tegb
tar cf $lab/foreign.tegb -C tests live/edge.teg
for bad in short altered foreign; do
	ok "a bundle that is $bad is refused" [ "$(ctl apply $lab/$bad.tegb >/dev/null 2>&1; echo $?)" != 0 ]
done
bundle $lab/elsewhere.tegb 's/"w0"/"eth7"/'
holds "$(ctl apply $lab/elsewhere.tegb 2>&1)" "eth7" "a missing interface is named"
is "$(status '.generation, .intact' | xargs)" "3 true" "the running generation is untouched"

# --- death and return
before=$(status .nft_digest)
links=$(bpftool net show | grep w0)
tegd_end KILL
is "$(reaches 80)" open "killed: the service is still reached"
is "$(reaches 8080)" shut "killed: the rest is still dropped"
is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "killed: the block still cuts"
ok "tegd starts again" tegd_start --engine $ENGINE
is "$(status '.adopted, .generation, .intact, .posture' | xargs)" "adopted 3 true BALANCED" "it adopts what it finds"
is "$(status .nft_digest)" "$before" "and touches nothing in nft"
is "$(bpftool net show | grep w0)" "$links" "nor in XDP"

# --- somebody else's hand
nft insert rule inet tegumentar a_hook_in accept
is "$(status .intact)" false "an altered table is seen"
holds "$(status .fault)" nft "and told"
tegd_end KILL
ok "tegd starts on the altered table" tegd_start --engine $ENGINE
is "$(status '.adopted, .intact' | xargs)" "restored true" "and restores the generation"
is "$(reaches 8080)" shut "which judges as before"

bank=$(nft list chains inet | grep -o '[ab]_hook_in' | cut -c1)
nft insert rule inet tegumentar "${bank}_pre_in" tcp dport 8080 accept
tegd_end KILL
ok "a rule further inside is altered" tegd_start --engine $ENGINE
is "$(status '.adopted, .intact' | xargs) $(reaches 8080)" "restored true shut" "and restored, too"
nft flush ruleset
is "$(status .intact)" false "everything of ours in nft is gone: told"
tegd_end KILL
ok "tegd starts on what is left" tegd_start --engine $ENGINE
is "$(status '.adopted, .intact' | xargs) $(reaches 80)$(reaches 8080)" "restored true openshut" "and makes it whole"

# --- an orderly end
tegd_end TERM
is "$(reaches 80)$(reaches 8080)" openshut "after SIGTERM the policy is enforced on"
ok "and tegd starts again" tegd_start --engine $ENGINE
is "$(status .adopted)" adopted "adopting it"
# --- taken away, as docs/install.md says
tegd_end TERM
is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "tegd has ended: the block still cuts"
[ $ENGINE = nft ] || rm -r $lab/bpf/teg
as_written() { eval "$(sed -n "s/^    sudo \($1 .*\)/\1/p" docs/install.md | sed s/DEV/w0/)"; } # as_written PROGRAM
as_written nft
[ $ENGINE = tc ] && linux_before 6.6 && as_written tc
is "$(pings 10.9.0.1 -I 203.0.113.5) $(reaches 8080)" "answered open" "and with what it left taken away, nothing judges"
done_testing
