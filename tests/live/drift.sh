#!/bin/bash
# What somebody else does to the kernel's part is seen, told, and put right, or only told.
. tests/lib/live.bash
servers 80 8080
bundle $lab/one.tegb
fault() { status '.intact, .fault // ""' | xargs -d '\n'; }
told() { ctl --json audit | jq -r 'select(.what == "drift") | .summary + ": " + .result' | tail -1; }
whole() { [ "$(status .intact)" = true ]; }
# within SECONDS COMMAND...
within() { local until=$((SECONDS + $1)); until "${@:2}"; do [ $SECONDS -lt $until ] || return 1; sleep 0.05; done; }
# repaired PATTERN: what was told last, and that it is over
repaired() {
	within 4 whole && [[ $(told) == $1*done ]] && return
	echo "# want: $1*done"
	echo "# got:  $(told), $(status .fault)"
	return 1
}

# --- nft: a rule, a chain, a hook, a table
ok "tegd starts" tegd_start --engine nft --drift-seconds 1 --bundle $lab/one.tegb
chain=$(nft list chains | sed -n 's/.*chain \([ab]_hook_in\) .*/\1/p' | head -1)
nft insert rule inet tegumentar "$chain" accept
ok "a foreign rule in our table is repaired" repaired "nft"
nft add chain inet tegumentar theirs
ok "a foreign chain in our table is taken away" repaired "nft: the tables tegumentar were altered by somebody else"
ok "it is gone" test -z "$(nft list chains | grep theirs)"
nft delete table inet tegumentar
ok "a table that is gone comes back" repaired "nft"
is "$(reaches 8080), $(reaches 80)" "shut, open" "and judges as before"
nft delete table netdev tegumentar
ok "so does the one of arrivals" repaired "nft"
is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "and judges as before"
is "$(status .generation)" 1 "the generation is what it was"
hook=$(nft list chains inet | sed -n 's/.*chain \(._hook_in\) .*/\1/p')
nft chain inet tegumentar "$hook" '{ policy accept; }'
ok "so does a chain's policy" repaired "nft"
is "$(nft list chain inet tegumentar "$(nft list chains inet | sed -n 's/.*chain \(._hook_in\) .*/\1/p')" | grep -c 'policy drop')" 1 "which is to drop"
nft add table inet others && nft add chain inet others theirs
sleep 1.3
ok "what somebody else has in tables of their own is no drift" whole
ok "and stays" nft list chain inet others theirs
tegd_end TERM
nft flush ruleset

# --- XDP: a program, a link, a pin
rm -rf $lab/state
ok "tegd starts with XDP" tegd_start --engine native --drift-seconds 1 --bundle $lab/one.tegb
link=$(bpftool link show pinned $lab/bpf/teg/link_* | sed -n 's/^\([0-9]*\): xdp.*/\1/p')
bpftool link detach id "$link"
ok "a detached program is attached again" repaired "xdp: the anchor on w0 is gone"
is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "and judges"
rm $lab/bpf/teg/link_*
ok "so is one whose pin is gone" repaired "xdp: the anchor on w0 is gone"
is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "and judges"
bpftool map delete pinned $(pinned teg_slots) key 0 0 0 0
ok "an empty slot gets its program back" repaired "xdp: the program in the slot is number 0"
before=$(counter block.bogons)
lost="$(pinned teg_counters) $(pinned anchor)"
rm $lost
within 4 test -e ${lost#* }
ok "lost pins come back" test -e ${lost% *}
tegd_end KILL
ok "tegd starts again" tegd_start --engine native --drift-seconds 1
is "$(status '.adopted, .intact' | xargs)" "adopted true" "and finds all that it left"
is "$(counter block.bogons)" "$before" "with its counts"
bpftool map update pinned $(pinned teg_active) key 0 0 0 0 value hex 02 00 00 00 02 00 00 00 2>/dev/null ||
	bpftool map update pinned $(pinned teg_active) key 0 0 0 0 value hex $(printf '02 00 00 00 %.0s' $(seq $(($(bpftool -j map show pinned $(pinned teg_active) | jq .bytes_value) / 4))))
ok "a posture's word that somebody else wrote is put right" repaired "xdp: teg_active says posture 2"
tegd_end TERM

# --- only told
ok "tegd starts, and only tells" tegd_start --engine native --drift report --drift-seconds 1
rm $lab/bpf/teg/link_*
sleep 2.4
is "$(fault)" "false xdp: the anchor on w0 is gone" "the drift stays"
is "$(told)" "xdp: the anchor on w0 is gone: reported" "it is told"
is "$(ctl --json audit | jq -r 'select(.what == "drift" and .result == "reported") | .seq' | wc -l)" 1 "once"
is "$(ls $lab/bpf/teg | grep -c link_)" 0 "and nothing is touched"
tegd_end TERM

# --- a change of posture does not wait for the next look
for engine in native nft; do
	nft flush ruleset
	rm -rf $lab/state $lab/bpf/teg
	ok "$engine: tegd starts, and does not look by itself" tegd_start --engine $engine --drift-seconds 0 --bundle $lab/one.tegb
	nft flush ruleset
	ok "$engine: a source is blocked" ctl block 10.9.0.3 --for 5m
	is "$(pings 10.9.0.1 -I 10.9.0.3)" silent "$engine: and does not come in, though somebody has flushed the ruleset"
	nft flush ruleset
	is "$(reaches 8080)" open "$engine: somebody has flushed the ruleset"
	is "$(ctl --json posture LOCKDOWN | jq -r '[.result, .detail] | join(": ")')" "active: " "$engine: the host is shut all the same"
	is "$(status '.posture, .intact' | xargs), $(reaches 80)" "LOCKDOWN true, shut" "$engine: all is as it should be"
	holds "$(told)" "nft: the tables tegumentar were altered by somebody else: done" "$engine: what was found is told"
	nft flush ruleset
	ok "$engine: nor does a posture with an end, which layers 1 to 3 judge otherwise" ctl posture EXPLORE --for 5m
	is "$(status '.posture, .intact' | xargs), $(reaches 8080), $(pings 10.9.0.1 -I 203.0.113.5)" "EXPLORE true, open, silent" "$engine: all stands"
	tegd_end TERM
done

# --- nor is a change told to be done where nothing would judge by it
feed='feed bad {\n    url "https://feeds.example/bad.txt"\n    format netset\n    refresh 15m\n    max 100\n    stale after 1h keep\n    action block\n}\n\n'
bundle $lab/fed.tegb "s|^initial posture|${feed}initial posture|"
echo 10.9.0.3 >$lab/listed
# On Linux 5.15 a veth that loses its program has changed by that, and tegd may have put it right before a ping came.
unjudged() {
	[ "$(pings 10.9.0.1 -I 203.0.113.5)" = answered ] ||
		{ [ $engine = native ] && linux_before 6.1 && [ "$(told)" = "xdp: the anchor on w0 is gone: done" ]; }
}
# The pin stays, and its link says that it is on no interface.
detached() {
	bpftool link detach pinned $(pinned link)
	ok "$engine: somebody has detached the link, whose pin is still there" within 4 unjudged
	ok "$engine: a source is blocked" ctl block 10.9.0.3 --for 5m
	is "$(pings 10.9.0.1 -I 10.9.0.3), $(status .intact)" "silent, true" "$engine: and does not come in"
}
lose() { # the first hook's by its pins, TC's before TCX also by its filter, nft's by its chain
	[ $engine != tc ] || ! linux_before 6.6 || tc filter del dev w0 ingress pref 1 handle 0x746567 bpf
	[ $engine != nft ] || { nft delete chain netdev tegumentar "$(nft -j list chains netdev | jq -r '.nftables[].chain // empty | select(.hook == "ingress") | .name')"; return; }
	rm $lab/bpf/teg/*
}
# --- nor does an interface that changes hide what was taken away
for engine in native tc nft; do
	[ $engine = nft ] && gone="nft: " || gone="the anchor on w0 is gone"
	nft flush ruleset
	rm -rf $lab/state $lab/bpf/teg
	ok "$engine: tegd starts, and does not look by itself" tegd_start --engine $engine --drift-seconds 0 --bundle $lab/fed.tegb
	lose
	ip link set w0 alias changed
	ok "$engine: what w0 lost is put right when w0 changes" repaired "*$gone"
	is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "$engine: and judges"
	tegd_end TERM
	ok "$engine: tegd starts, and only tells" tegd_start --engine $engine --drift report --drift-seconds 0
	lose
	ip link set w0 alias again
	within 4 test "$(status .intact)" = false
	holds "$(told)" "$gone" "$engine: what w0 lost is told when w0 changes"
	holds "$(told)" reported "$engine: and only that"
	ip link set w0 alias "and again"
	is "$(pings 10.9.0.1 -I 203.0.113.5), $(status .intact)" "answered, false" "$engine: nothing is touched, however often w0 changes"
	ok "$engine: an interface that comes meanwhile" ip link add w1 type veth peer name w2
	ip link del w1
	is "$(pings 10.9.0.1 -I 203.0.113.5)" answered "$engine: changes nothing in that"
	tegd_end TERM
	tc qdisc del dev w0 clsact 2>/dev/null
done
for engine in native tc nft; do
	nft flush ruleset
	rm -rf $lab/state $lab/bpf/teg
	ok "$engine: tegd starts, and does not look by itself" tegd_start --engine $engine --drift-seconds 0 --bundle $lab/fed.tegb
	lose
	ok "$engine: somebody has taken away what judges arrivals" within 4 unjudged
	ok "$engine: a source is blocked" ctl block 10.9.0.3 --for 5m
	is "$(pings 10.9.0.1 -I 10.9.0.3), $(pings 10.9.0.1 -I 203.0.113.5)" "silent, silent" "$engine: and does not come in, nor what the policy blocks"
	[ $engine = nft ] && gone="nft: " || gone="the anchor on w0 is gone: done"
	holds "$(told)" "$gone" "$engine: what was found is told"
	is "$(status .intact)" true "$engine: all is as it should be"
	ok "$engine: it is taken back" ctl unblock 10.9.0.3
	lose
	ok "$engine: a feed is loaded" ctl feed load bad $lab/listed
	is "$(pings 10.9.0.1 -I 10.9.0.3)" silent "$engine: and who is on it does not come in"
	lose
	ok "$engine: another posture" ctl posture EXPLORE
	is "$(pings 10.9.0.1 -I 203.0.113.5), $(status '.posture, .intact' | xargs)" "silent, EXPLORE true" "$engine: finds its hook again"
	[ $engine = native ] && detached
	tegd_end TERM
	tc qdisc del dev w0 clsact 2>/dev/null
done
done_testing
