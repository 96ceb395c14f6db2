#!/bin/bash
# Sources that a person blocks for a time, under XDP and under nft: dropped on arrival, until then or until it is taken back.
. tests/lib/live.bash

ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
listed() { ctl block --json | jq -r '.blocks[].source' | sort | xargs; }
bundle $lab/one.tegb
servers 22
# A neighbour that is none of this host's own /64.
outside ip -6 addr add 2001:db8:7::2/128 dev c0 nodad
ip -6 route add 2001:db8:7::/64 via fd00:9::2 dev w0
outside_from() { outside ping -c1 -W0.4 -q -I "$1" "$2" >/dev/null 2>&1 && echo answered || echo silent; }

for engine in native nft; do
	ok "$engine: tegd starts" tegd_start --engine $engine --state-dir $lab/state-$engine --pin-dir $lab/bpf/$engine
	ok "$engine: without a policy nothing can be blocked: 75" ends 75 ctl block 10.9.0.3
	is "$(ctl block)" "no policy is enforced, so no blocks are known: tegctl apply FILE.tegb" "$engine: and nobody is told that none are"
	is "$(ctl block --json | jq -c '[.total, .blocks]')" "[null,[]]" "$engine: nor is a program"
	ok "$engine: a policy" ctl apply $lab/one.tegb
	is "$(ctl block)" "0 sources are blocked" "$engine: none is blocked"
	is "$(outside_from 10.9.0.3 10.9.0.1)" answered "$engine: a source is answered"
	ok "$engine: it is blocked" ctl block 10.9.0.3 2001:db8:7::3 --for 5m --reason scans
	is "$(outside_from 10.9.0.3 10.9.0.1)" silent "$engine: and is not any more"
	is "$(outside_from 10.9.0.2 10.9.0.1)" answered "$engine: its neighbour is"
	is "$(outside_from 2001:db8:7::2 fd00:9::1)" silent "$engine: of an IPv6 address, the /64"
	is "$(listed)" "10.9.0.3 2001:db8:7::/64" "$engine: both are listed"
	is "$(ctl block --json | jq -r '.blocks[0].until | (fromdate - now) > 290 and (fromdate - now) < 302')" true "$engine: with their end"
	is "$(curl -s --unix-socket $lab/run/api.sock http://t/metrics | sed -n 's/^tegumentar_blocked_sources //p')" 2 "$engine: and counted"
	holds "$(ctl audit --last 1)" "2 sources for 300 s: scans: 10.9.0.3, 2001:db8:7::/64" "$engine: who blocked them is in the audit log"
	ok "$engine: blocked again, for longer" ctl block 10.9.0.3 --for 2h
	is "$(ctl block --json | jq -r '[.blocks[] | select(.source == "10.9.0.3") | (.until | fromdate) - now > 7000]' -c)" "[true]" \
		"$engine: it lasts longer, and stands once"
	bundle $lab/two.tegb 's/version "1"/version "2"/'
	ok "$engine: another policy" ctl apply $lab/two.tegb
	is "$(outside_from 10.9.0.3 10.9.0.1)" silent "$engine: a rollout does not unblock"
	tegd_end KILL
	ok "$engine: tegd starts after a crash" tegd_start --engine $engine --state-dir $lab/state-$engine --pin-dir $lab/bpf/$engine
	is "$(outside_from 10.9.0.3 10.9.0.1), $(listed)" "silent, 10.9.0.3 2001:db8:7::/64" "$engine: nor does a crash"
	is "$(ctl unblock 10.9.0.3 192.0.2.99 fd00:77::5)" "$(printf '%s\n' '3 sources are not blocked now' 'were not blocked before: 192.0.2.99 fd00:77::/64')" \
		"$engine: taken back, and who was not blocked is named"
	is "$(outside_from 10.9.0.3 10.9.0.1), $(listed)" "answered, 2001:db8:7::/64" "$engine: it is answered again"
	ok "$engine: and the /64, by another of its addresses" ctl unblock 2001:db8:7::77
	is "$(outside_from 2001:db8:7::2 fd00:9::1), $(listed)" "answered, " "$engine: too"
	is "$(ctl unblock --json 10.9.0.3 | jq -c .)" '{"result":"not blocked now","sources":1,"not_blocked":["10.9.0.3"],"still_blocked":[]}' "$engine: programs are told too"

	ok "$engine: an IPv4 address as a socket of both versions writes it" ctl block ::ffff:10.9.0.3
	is "$(outside_from 10.9.0.3 10.9.0.1), $(listed)" "silent, 10.9.0.3" "$engine: is that address"
	ok "$engine: also when it is taken back" ctl unblock ::ffff:10.9.0.3
	is "$(outside_from 10.9.0.3 10.9.0.1), $(listed)" "answered, " "$engine: and answered again"

	is "$(ctl block 10.9.0.3 ::ffff:10.9.0.3 2001:db8:7::3 10.9.0.3/32 2001:db8:7::4), $(listed)" "2 sources are blocked, 10.9.0.3 2001:db8:7::/64" "$engine: who is named twice, or in two ways, is counted once"
	holds "$(ctl audit --last 1)" "2 sources for 3600 s" "$engine: in the audit log too"
	is "$(ctl unblock 2001:db8:7::7 2001:db8:7::8 10.9.0.3 10.9.0.3), $(listed)" "2 sources are not blocked now, " "$engine: and when they are taken back"

	# many at once, all of them or none
	for i in $(seq 0 2999); do echo "10.$((50 + i / 250)).$((i % 250)).7 # $i"; done > $lab/many
	ok "$engine: three thousand from a file" ctl block --from $lab/many --for 30m
	holds "$(ctl block --json | jq -c '[.total, (.blocks | length)]')" "[3000,3000]" "$engine: are all there"
	is "$(status .intact)" true "$engine: and all is as it should be"
	ok "$engine: a time that is empty: 64" ends 64 ctl block 192.0.2.1 --for ''
	holds "$(cat $lab/said)" "--for is given, and is empty" "$engine: is not taken for an hour"
	ok "$engine: more than a year: 64" ends 64 ctl block 192.0.2.1 --for 366d
	holds "$(cat $lab/said)" "a block lasts 365 days at most" "$engine: which is said in the words of the option"
	ok "$engine: a line that is no source: 64" ends 64 ctl block --from <(echo 192.0.2.1; echo nonsense) --for 30m
	holds "$(cat $lab/said)" "\`nonsense\`" "$engine: is named"
	is "$(ctl block --json | jq .total)" 3000 "$engine: and none of the rest is blocked"
	ok "$engine: taken back from standard input" bash -c "cut -d' ' -f1 $lab/many | '$BUILD/tegctl' --socket $lab/run/api.sock unblock --from -"
	is "$(ctl block --json | jq .total)" 0 "$engine: none is left"
	ok "$engine: a source for a year, the longest" ctl block 10.50.0.7 --for 365d
	printf '\xef\xbb\xbf  198.51.100.1\r\n\t198.51.100.2 # x\r\n \n' | ctl block --from - >$lab/said
	is "$(cat $lab/said), $(ctl block --json | jq -c '[.blocks[].source] | sort')" '2 sources are blocked, ["10.50.0.7","198.51.100.1","198.51.100.2"]' \
		"$engine: of a list with indented lines, a byte order mark and carriage returns nobody is left out"
	ok "$engine: and they are taken back" ctl unblock 198.51.100.1 198.51.100.2
	(cut -d' ' -f1 $lab/many; seq -f 192.0.2.%g 1 100) >$lab/more
	ctl unblock --from $lab/more >$lab/said
	is "$(head -1 $lab/said)" "3100 sources are not blocked now" "$engine: taken back again, of all but one for nothing"
	is "$(sed -n 2p $lab/said)" "were not blocked before:$(for i in $(seq 1 20); do printf ' 10.50.%s.7' $i; done) …" "$engine: the first twenty are named to people"
	is "$(ctl unblock --json --from $lab/more | jq -c '[.sources, (.not_blocked | length), .not_blocked[-1]]')" '[3100,3100,"192.0.2.100"]' "$engine: and all to programs, of several requests"
	tegd_end TERM
	nft flush ruleset
done

# --- where nothing is judged on arrival
rm -rf $lab/bpf/native
printf 'posture A {\n    default allow\n}\n' >$lab/zoneless.teg
"$BUILD/tegc" build $lab/zoneless.teg -o $lab/zoneless.tegb
ok "tegd starts with a policy that has no zone" tegd_start --engine native --state-dir $lab/state-zoneless --pin-dir $lab/bpf/zoneless --bundle $lab/zoneless.tegb
ok "nobody can be blocked there: 75" ends 75 ctl block 10.9.0.3
holds "$(cat $lab/said)" "has no zone" "and it is said why"
is "$(ctl unblock 10.9.0.3)" "$(printf '%s\n' '1 source is not blocked now' 'was not blocked before: 10.9.0.3')" "who was not blocked is not either, and is not said to have been"
tegd_end TERM

# --- a list that is refused halfway, as by a full table: an api that takes two requests of three
answers='
import http.server, json, socketserver, sys
class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        code, said = answer(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(said).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
    def address_string(self): return ""
socketserver.UnixStreamServer(sys.argv[1], Api).serve_forever()'
answering() { # answering SOCKET ANSWER: an api, as the process $api, whose answer(body) in Python says code and body
	python3 -c "$2$answers" "$1" &
	api=$!
	until [ -S "$1" ]; do sleep 0.02; done
}
answering $lab/full.sock 'taken = 0
def answer(body):
    global taken
    taken += 1
    if taken % 3 == 0:
        return 500, {"problem": "failed", "detail": "blocks: no place is left", "try": "later"}
    return 200, {"result": "done", "not_blocked": ["192.0.2.%d" % taken]}
'
for i in $(seq 2500); do echo "10.50.$((i / 250)).$((i % 250))"; done >$lab/many
"$BUILD/tegctl" --socket $lab/full.sock block --from $lab/many --for 30m >$lab/said 2>&1
ok "a list that is refused halfway is no success" test $? != 0
holds "$(cat $lab/said)" "no place is left" "it is said why"
holds "$(cat $lab/said)" "the first 2000 of 2500 sources are blocked, the others are as they were" "and how many are blocked"
ok "nor is one that is taken back" bash -c "! '$BUILD/tegctl' --socket $lab/full.sock unblock --from $lab/many >$lab/said 2>$lab/why"
is "$(cat $lab/said)" "$(printf '%s\n' '2000 sources are not blocked now' 'were not blocked before: 192.0.2.4 192.0.2.5')" "who was not blocked, of those that were taken back, is named"
holds "$(cat $lab/why)" "the first 2000 of 2500 sources are not blocked now, the others are as they were" "and how many were taken back"
ok "nor for programs" bash -c "! '$BUILD/tegctl' --socket $lab/full.sock unblock --json --from $lab/many >$lab/said"
is "$(jq -c 'select(.result) | [.result, .sources, .not_blocked]' $lab/said)" '["not blocked now",2000,["192.0.2.7","192.0.2.8"]]' "which are told the same"
kill $api

# --- a table that is nearly full: one that has no place for 10.50.N.77
answering $lab/crowded.sock 'def answer(body):
    none = [s.replace("/32", "") for s in json.loads(body)["sources"] if s.replace("/32", "").endswith(".77")]
    if none:
        return 422, {"problem": "refused", "detail": "no place is left", "no_place": none}
    return 200, {"result": "active"}
'
crowded() { "$BUILD/tegctl" --socket $lab/crowded.sock block "$@" >$lab/said 2>$lab/why; }
sed -i 's|\.77$|.77/32|' $lab/many
crowded --from $lab/many --for 30m
same $? 2 "a list of which not all find a place ends with 2"
is "$(cat $lab/said)" "2490 sources are blocked" "who has a place is blocked, in each part of the list"
is "$(head -1 $lab/why)" "tegctl: 10 of 2500 sources are not blocked, since no place is left:$(printf ' 10.50.%s.77' {0..9})" "the others are named"
crowded --from $lab/many --for 30m --json
same $? 2 "for programs too"
is "$(jq -c 'select(.result) | [.result, .sources, (.no_place | length), .no_place[0]]' $lab/said)" '["blocked",2490,10,"10.50.0.77"]' "which are told all of them"
crowded 10.50.0.77
same $? 2 "one alone ends with 2 too"
is "$(cat $lab/said)|$(head -1 $lab/why)" "|tegctl: it is not blocked, since no place is left: 10.50.0.77" "and nothing is said to be blocked"
kill $api

# --- from one engine to the other
moves() { tegd_end "$2" && tegd_start --engine "$1" --state-dir $lab/state-native --pin-dir $lab/bpf/native; } # moves ENGINE SIGNAL
left() { ctl block --json | jq -c "[.blocks[] | select(.source == \"$1\") | (.until | fromdate) - now | . > $2 and . < $3]"; } # left SOURCE LEAST MOST
ok "tegd starts" tegd_start --engine native --state-dir $lab/state-native --pin-dir $lab/bpf/native
ok "sources are blocked in XDP" ctl block 10.9.0.3 2001:db8:7::3 --for 5m
ok "tegd is started with nft" moves nft TERM
is "$(status .engine)" nft "nft judges"
is "$(ctl block --json | jq .total), $(curl -s --unix-socket $lab/run/api.sock http://t/metrics | sed -n "s/^tegumentar_blocked_sources //p")" "2, 2" "two are blocked, whoever knows of them"
is "$(outside_from 10.9.0.3 10.9.0.1), $(outside_from 2001:db8:7::2 fd00:9::1)" "silent, silent" "they are blocked there"
is "$(outside_from 10.9.0.2 10.9.0.1)" answered "and nobody else"
is "$(nft -j list set netdev tegumentar blocked4 | jq -c '[.nftables[].set.elem // empty | .[].elem | .val, (.expires > 280 and .expires <= 300)]')" '["10.9.0.3",true]' \
	"in nft itself, for the time that was left"
is "$(left 10.9.0.3 280 301)" "[true]" "which is told, once"
ok "one is taken back there, and another blocked" bash -c "'$BUILD/tegctl' --socket $lab/run/api.sock unblock 2001:db8:7::3 && '$BUILD/tegctl' --socket $lab/run/api.sock block 10.9.0.2 --for 2h"
nft delete element netdev tegumentar blocked4 '{ 10.9.0.3 }'
nft add element netdev tegumentar blocked4 '{ 10.9.0.3 timeout 30m }' # as a reflex of nft would: XDP has it for less
ok "tegd is killed, and started with XDP" moves native KILL
is "$(status .engine)" xdp-native "XDP judges"
is "$(outside_from 10.9.0.3 10.9.0.1), $(outside_from 10.9.0.2 10.9.0.1)" "silent, silent" "what nft blocked is blocked"
is "$(outside_from 2001:db8:7::2 fd00:9::1)" answered "what was taken back is not"
is "$(left 10.9.0.2 7000 7201) $(left 10.9.0.3 1700 1801)" "[true] [true]" "for the time that was left, the longer one where both had one"
ok "and back" moves nft TERM
is "$(outside_from 10.9.0.3 10.9.0.1), $(outside_from 10.9.0.2 10.9.0.1)" "silent, silent" "it is as it was"
tegd_end TERM
nft flush ruleset

# --- lifelines
ok "tegd starts" tegd_start --engine native --state-dir $lab/state-native --pin-dir $lab/bpf/native
ok "lifelines outrank blocks" ctl block 10.9.0.2 --for 1m
is "$(reaches 22)" open "so that nobody locks themselves out"
tegd_end TERM
nft flush ruleset

# --- 16 MB that are only looked at while a block may be in force
large_maps() { # of this process's memory, those of a table of more than 8 MB
	local range name count=0
	while read -r range _ _ _ _ name; do
		[[ $name = *bpf-map* ]] && ((0x${range#*-} - 0x${range%-*} > 8 << 20)) && count=$((count + 1))
	done </proc/$tegd_pid/maps
	echo $count
}
table_is() { local i; for i in $(seq 300); do [ "$(large_maps)" = "$1" ] && return; sleep 0.05; done; grep bpf-map /proc/$tegd_pid/maps; false; } # table_is COUNT: soon
rm -r $lab/bpf/native
bundle $lab/brief.tegb "s/for 3s/for 6s/"
ok "tegd starts where nothing was ever blocked" tegd_start --engine native --state-dir $lab/state-brief --pin-dir $lab/bpf/brief --bundle $lab/brief.tegb
ok "it has not the table of blocks" table_is 0
outside hping3 -q -S -p 80 -i u1000 -c 200 10.9.0.1 >/dev/null 2>&1
is "$(listed)" "10.9.0.2" "a flood blocks its source for six seconds"
ok "which is looked up in the table" table_is 1
ok "until none is in force" table_is 0
done_testing
