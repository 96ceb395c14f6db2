#!/bin/bash
# What happens is told as it happens: tegctl watch, tegctl top, and the stream itself.
. tests/lib/live.bash

token=correct-horse-battery-staple
(umask 077; echo $token > $lab/token)
stream() { curl -sN --max-time "$1" "${@:2}" --unix-socket $lab/run/api.sock http://t/api/tegumentar/events; } # stream SECONDS CURL-ARGUMENT...
says() { local i; for i in $(seq 100); do grep -qF -- "$2" "$1" && return; sleep 0.05; done; echo "want: $2"; cat "$1"; false; } # says FILE TEXT: soon

bundle $lab/one.tegb
ok "tegd starts" tegd_start --engine "${ENGINE:-native}" --bundle $lab/one.tegb --listen 127.0.0.1:8765 --token-file $lab/token
ctl watch > $lab/watched 2>&1 & watch=$!
ctl watch --json > $lab/watched.json 2>&1 & programs=$!
stream 30 > $lab/streamed &
ok "the figures come by themselves, once a second" says $lab/streamed "event: qualia"
ctl posture LOCKDOWN --reason scans >/dev/null
ok "a posture is told" says $lab/watched "posture LOCKDOWN: scans: done; generation 1, posture LOCKDOWN"
ok "to programs too" says $lab/watched.json '"what":"posture","summary":"LOCKDOWN: scans","result":"done","generation":1,"posture":"LOCKDOWN"'
ok "each line is JSON" jq -es 'all(.event and .data)' $lab/watched.json
ctl posture NOWHERE >/dev/null 2>&1
ok "what was refused is told" says $lab/watched "posture NOWHERE: refused"
ok "but not who asked: that is in the audit log" bash -c "! grep -q root $lab/streamed"
id=$(sed -n 's/^id: //p' $lab/streamed | head -1)
is "$(stream 0.5 -H "Last-Event-ID: $id" | grep -c 'NOWHERE')" 1 "with the last id heard, what came since"
is "$(stream 0.5 -H "Last-Event-ID: $id" | grep -c 'LOCKDOWN: scans')" 0 "and not what was heard"
is "$(stream 0.5 -H "Last-Event-ID: 1-1" | grep -c '^event: lost')" 1 "an id that is not known: something was lost"

# --- tegd's api dies
kill -9 "$(pgrep -P $tegd_pid -f -- --role=api)"
until ctl status >/dev/null 2>&1; do sleep 0.05; done
sleep 2.5
ctl posture BALANCED --reason quiet >/dev/null
ok "who watches goes on when the api was started anew" says $lab/watched "posture BALANCED: quiet: done"
is "$(grep '^tegctl' $lab/watched)" "tegctl: tegd has ended the connection; it is made anew when tegd answers, from the last event on
tegctl: tegd answers again" "and is told both, once"

# --- many, and slow ones
for i in $(seq 40); do stream 111 > $lab/stream.$i & done
heard() { grep -lE "$1" $lab/stream.* | wc -l; } # heard PATTERN: by how many
soon 40 heard 'event: qualia|"problem":"busy"' >/dev/null
is "$(heard 'event: qualia')" 30 "of forty more, thirty are served: two are watching"
is "$(heard '"problem":"busy"')" 10 "and ten are refused"
is "$(curl -s -o /dev/null -w '%{http_code}' --max-time 1 --unix-socket $lab/run/api.sock http://t/healthz)" 200 "and the api answers others meanwhile"
kill $(pgrep -f 'curl .*--max-time 111')
room() { grep -o -m1 'event: qualia' <(stream 2); }
ok "when they have gone there is room again" soon 'event: qualia' room

# --- top and counters
outside ping -q -i 0.02 -c 300 -W 0.1 -I 203.0.113.5 10.9.0.1 >/dev/null & ping=$!
sleep 0.5
ctl top > $lab/top
holds "$(cat $lab/top)" "BALANCED  generation 1, intact, engine" "top: posture, generation and engine"
is "$(awk '$5 == "block.bogons" { print ($1 > 20 && $1 < 80) }' $lab/top)" 1 "and the rate of a rule"
is "$(ctl top --json | jq '.rules[] | select(.id == "block.bogons") | .packets_per_second > 20 and .packets_per_second < 80')" true "for programs"
holds "$(ctl counters)" "BALANCED.ping" "counters for a person"
is "$(ctl counters --json | jq '[.rules[] | select(.packets > 0)] | length > 0')" true "and for a program"
wait $ping
(sleep 1.5; printf q) | timeout 10 script -qec "'$BUILD/tegctl' --socket $lab/run/api.sock top" /dev/null > $lab/screen
holds "$(cat $lab/screen)" $'\e[?1049l' "on a terminal, q ends it and gives the screen back"

# --- the end
tegd_end TERM
sleep 5
is "$(grep -c '^tegctl' $lab/watched), $(grep -c '"problem"' $lab/watched.json)" "3, 2" "and of each time once, however long it takes"
ok "and waits for it" kill $watch $programs
ok "nothing hangs when tegd ends while somebody listens" [ -z "$(pgrep -f -- "--run-dir $lab/run" )" ]
done_testing
