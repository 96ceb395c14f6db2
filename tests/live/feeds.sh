#!/bin/bash
# What is on a feed is dropped on arrival, whatever judges there; is replaced at once, outlives rollouts and crashes, and never
# cuts a lifeline. FEED_ENGINES chooses engines.
. tests/lib/live.bash

: "${FEED_ENGINES:=native tc nft}"
ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
outside_from() { outside ping -c1 -W0.4 -q -I "$1" "$2" >/dev/null 2>&1 && echo answered || echo silent; }
fed() { outside_from 10.9.0.2 10.9.0.1; outside_from 10.9.0.3 10.9.0.1; outside_from fd00:9::2 fd00:9::1; } # of the three sources
feed() { ctl feed --json | jq -c ".feeds[] | select(.name == \"$1\") | $2"; }

FEED='feed bad {\n    url     "https://feeds.example/bad.txt"\n    format  netset\n    refresh 15m\n    max     150k\n    stale   after 1h keep\n    action  block\n}\n\n'
OTHER='feed more {\n    url     "https://feeds.example/more.csv"\n    format  csv column 2\n    refresh 15m\n    max     10\n    stale   after 4s clear\n    action  block\n}\n\n'
fed_bundle() { bundle "$1" "s|^initial posture|$2initial posture|${3-}"; } # fed_bundle FILE FEEDS [MORE]
servers 22 80
fed_bundle $lab/one.tegb "$FEED$OTHER"
fed_bundle $lab/two.tegb "$FEED" '; s/version "1"/version "2"/'
bundle $lab/none.tegb 's/version "1"/version "3"/'
printf '10.9.0.3\n# a comment\n2001:db8::/32\nfd00:9::2\n' > $lab/first
printf '10.9.0.2\n' > $lab/second
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "%d.%d.%d.%d\n", 20 + i % 100, i / 7 % 256, i / 3 % 256, i * 37 % 256; print "10.9.0.3" }' |
	sort -u > $lab/many
for i in $(seq 0 9999); do printf '%d.%d.0.0/17\n%d.%d.200.7\n' $((20 + i / 256)) $((i % 256)) $((20 + i / 256)) $((i % 256)); done > $lab/awkward
grep /17 $lab/awkward > $lab/halves
head -n -500 $lab/many > $lab/fewer; echo 10.9.0.3 >> $lab/fewer

# Nothing of tegd is in the kernel any more.
boots() {
	tegd_end TERM
	nft flush ruleset
	rm -rf $lab/bpf/$engine
	tc qdisc del dev w0 clsact 2>/dev/null
	for i in $(seq 50); do ip -j link show dev w0 | grep -q '"xdp"' || break; sleep 0.1; done
}

for engine in $FEED_ENGINES; do
	at="--engine $engine --state-dir $lab/state-$engine --pin-dir $lab/bpf/$engine"
	ok "$engine: tegd starts" tegd_start $at
	ok "$engine: without a policy there is no feed: 75" ends 75 ctl feed clear bad
	ok "$engine: a policy with feeds" ctl apply $lab/one.tegb
	is "$(fed | xargs)" "answered answered answered" "$engine: nothing is on them"
	is "$(feed bad '[.entries, .max, .loaded, .in_force, .format]')" '[0,150000,null,false,"netset"]' "$engine: which is told"

	# another content
	ok "$engine: a text is loaded" ctl feed load bad $lab/first
	is "$(fed | xargs)" "answered silent silent" "$engine: who is on it is dropped"
	is "$(feed bad '[.entries, .prefixes, .stale, .in_force]')" '[3,3,false,true]' "$engine: how much it is"
	holds "$(ctl audit --last 1)" "bad: 3 entries" "$engine: who brought it is in the audit log"
	is "$([ "$(counter feed.bad)" -ge 2 ] && echo counted)" counted "$engine: and it is counted by the feed's id"
	ok "$engine: another" ctl feed load bad $lab/second
	is "$(fed | xargs)" "silent answered answered" "$engine: in place of the one before"
	is "$(reaches 22)" open "$engine: a lifeline's source may be on it"
	is "$(reaches 80)" shut "$engine: and has the lifeline alone"

	# what is wrong changes nothing
	printf '10.9.0.3\nnonsense\n' > $lab/wrong
	ok "$engine: a text with a word in it: 2" ends 2 ctl feed load bad $lab/wrong
	holds "$(cat $lab/said)" 'line 2: `nonsense`' "$engine: is told by its line"
	ok "$engine: a feed that is not there: 2" ends 2 ctl feed load worse $lab/first
	for i in $(seq 11); do echo "x,192.0.2.$i"; done > $lab/long
	ok "$engine: one entry too many: 2" ends 2 ctl feed load more $lab/long
	holds "$(cat $lab/said)" "more than 10 entries" "$engine: is told with the most"
	: > $lab/nothing
	ok "$engine: an empty text, as of a download that failed: 2" ends 2 ctl feed load bad $lab/nothing
	holds "$(cat $lab/said)" "tegctl feed clear bad" "$engine: is told with what empties a feed"
	mount --bind $lab/state-$engine $lab/state-$engine && mount -o remount,ro,bind $lab/state-$engine
	ok "$engine: a state directory that cannot be written: 69" ends 69 ctl feed load bad $lab/first
	umount $lab/state-$engine
	is "$(fed | xargs)" "silent answered answered" "$engine: and all is as it was"

	# it becomes stale
	echo 'x, "10.9.0.3"' > $lab/csv
	ok "$engine: another feed, of another format" ctl feed load more $lab/csv
	is "$(fed | xargs)" "silent silent answered" "$engine: both are in force"
	sleep 5
	is "$(fed | xargs)" "silent answered answered" "$engine: what is stale is cleared"
	is "$(feed more '[.stale, .in_force, .entries]')" '[true,false,1]' "$engine: which is told"

	# rollouts, rollbacks, crashes
	ok "$engine: a policy with one of the feeds" ctl apply $lab/two.tegb
	is "$(fed | xargs)" "silent answered answered" "$engine: what is on it goes on"
	tegd_end KILL
	is "$(fed | xargs)" "silent answered answered" "$engine: without tegd too"
	ok "$engine: tegd starts after a crash" tegd_start $at
	is "$(status '.adopted, .intact' | xargs)" "adopted true" "$engine: and adopts"
	is "$(fed | xargs)" "silent answered answered" "$engine: it is on it still"
	ok "$engine: and can be replaced" ctl feed load bad $lab/first
	is "$(fed | xargs)" "answered silent silent" "$engine: at once"
	ok "$engine: a policy without feeds, to be confirmed" ctl apply --confirm 60s $lab/none.tegb
	is "$(fed | xargs)" "answered answered answered" "$engine: nobody is dropped"
	ok "$engine: it goes again" ctl cancel
	is "$(fed | xargs)" "answered silent silent" "$engine: what was on the feed comes back"
	ok "$engine: the policy without feeds, for good" ctl apply $lab/none.tegb
	is "$(ls $lab/state-$engine/feeds | xargs)" "" "$engine: its content is forgotten"
	ok "$engine: back" ctl rollback
	is "$(fed | xargs)" "answered answered answered" "$engine: nothing is on the feed"

	# many
	ok "$engine: a hundred thousand" ctl feed load bad $lab/many
	is "$(fed | xargs)" "answered silent answered" "$engine: are on it"
	is "$(feed bad .entries)" "$(wc -l < $lab/many)" "$engine: all of them"
	if [ $engine = nft ]; then
		nft delete element netdev tegumentar feed.bad.4 '{ 10.9.0.3 }'
		tegd_end KILL
		ok "nft: tegd starts on them" tegd_start $at
		is "$(fed | xargs)" "answered answered answered" "nft: what the sets hold is not touched, but known: also what somebody took out is"
		tegd_end KILL
		rm $lab/state-$engine/feeds/.nft
		ok "nft: and when that is not known" tegd_start $at
		is "$(fed | xargs)" "answered silent answered" "nft: they are filled anew"
		nft delete element netdev tegumentar feed.bad.4 '{ 10.9.0.3 }'
		sed /10.9.0.3/d $lab/many > $lab/without
		ok "nft: a difference that the sets cannot have" ctl feed load bad $lab/without
		ok "nft: fills them anew" ctl feed load bad $lab/many
		is "$(fed | xargs)" "answered silent answered" "nft: with all that is on the feed"
		nft flush ruleset
		ok "nft: where somebody has flushed the ruleset" ctl feed load bad $lab/first
		is "$(fed | xargs), $(status .intact)" "answered silent silent, true" "nft: what is told to be loaded is in force"
		ok "nft: as before" ctl feed load bad $lab/many
	fi
	ok "$engine: five hundred fewer" ctl feed load bad $lab/fewer
	is "$(status .intact)" true "$engine: and all is as it should be"
	if [ $engine != nft ]; then
		ok "$engine: ten thousand networks of half a /16 have room" ctl feed load bad $lab/halves
		ok "$engine: and what was there before, again" ctl feed load bad $lab/fewer
		ok "$engine: networks that take more room than there is: 69" ends 69 ctl feed load bad $lab/awkward
		holds "$(cat $lab/said)" "there is room for" "$engine: are told with how much"
		is "$(fed | xargs) $(feed bad .entries)" "answered silent answered $(wc -l < $lab/fewer)" "$engine: and change nothing"
	fi
	tegd_end KILL
	printf 'x' | dd of=$lab/state-$engine/feeds/bad bs=1 seek=400 conv=notrunc 2>/dev/null
	ok "$engine: tegd starts on a damaged file" tegd_start $at
	holds "$(status .fault)" "feeds/bad is damaged" "$engine: and says so"
	is "$(fed | xargs)" "answered answered answered" "$engine: nothing is on that feed"
	ok "$engine: until it is loaded again" ctl feed load bad $lab/first
	is "$(fed | xargs) $(status .intact)" "answered silent silent true" "$engine: as it is then"
	ok "$engine: cleared" ctl feed clear bad
	is "$(fed | xargs)" "answered answered answered" "$engine: nobody is on it"
	ok "$engine: loaded, before a boot" ctl feed load bad $lab/second
	boots
	ok "$engine: tegd starts as after a boot" tegd_start $at
	is "$(status .adopted)" restored "$engine: and restores"
	is "$(fed | xargs)" "silent answered answered" "$engine: with what was on the feed"
	boots
done
done_testing
