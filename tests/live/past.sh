#!/bin/bash
# Generations over the API and at the prompt: history, bundles that were in force, rollback, and a change that must be confirmed.
. tests/lib/live.bash

ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
sock=$lab/run/api.sock
becomes() { local i; for i in $(seq 100); do [ "$(status "$1")" = "$2" ] && return; sleep 0.05; done; echo "$1 is $(status "$1"), not $2"; false; } # becomes FILTER VALUE: soon
servers 80 8080
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/; s/port 80$/port [80, 8080]/'
ok "tegd starts" tegd_start --engine "${ENGINE:-native}"
is "$(ctl history --json)" '{"generations":[],"now":0}' "nothing was in force yet"
ok "a rollback has nothing to go to" bash -c '"$0" --socket "$1" rollback; [ $? = 2 -o $? = 75 ]' "$BUILD/tegctl" $sock
ok "one policy" ctl apply $lab/one.tegb
ok "and another" ctl apply $lab/two.tegb
is "$(ctl history --json | jq -c '[.now, (.generations[] | [.generation, .version, .how, .result])]')" \
	'[2,[2,"2","apply","done"],[1,"1","apply","done"]]' "both are in the history, the newest first"
holds "$(ctl history)" "*  2" "that in force is marked"
ok "the bundle of the first" bash -c "'$BUILD/tegctl' --socket $sock bundle 1 > $lab/first && cmp $lab/first $lab/one.tegb"
ok "and of that in force" bash -c "'$BUILD/tegctl' --socket $sock bundle > $lab/now && cmp $lab/now $lab/two.tegb"
ok "tegc says what differs" ends 2 "$BUILD/tegc" diff $lab/first $lab/now --fail-on critical
holds "$(cat $lab/said)" "8080" "in meaning"
ok "and tegd, line by line" ends 0 ctl diff 1 2
holds "$(cat $lab/said)" "from generation 1, edge 1, to 2, edge 2" "says which"
holds "$(cat $lab/said)" "+    web: allow in tcp/[80, 8080] to self" "and what came"
is "$(ctl diff 2 1 --json | jq -c '[.same, .from.version, .to.version, (.text | contains("-    web: allow in tcp/[80, 8080] to self"))]')" '[false,"2","1",true]' "the other way it went"
is "$(ctl diff 1 --json | jq -r '.to.version'), $(ctl diff 2 --json | jq -c '[.same, .text]')" '2, [true,""]' "without a second, with that in force"
ok "with one that there is not: 64" ends 64 ctl diff 1 77
holds "$(cat $lab/said)" "to: there is none of that number" "which is named"
ok "nor is a word one: 64" ends 64 ctl diff one
ok "of one that there is not: 64" ends 64 bash -c "'$BUILD/tegctl' --socket $sock bundle 77 > /dev/null"

# --- rollback
held=$(ls /proc/$tegd_pid/fd | wc -l)
ok "rollback" ends 0 ctl rollback
holds "$(cat $lab/said)" "generation 3 is active" "is a new generation"
is "$(status .policy.version), $(reaches 8080)" "1, shut" "with the old policy"
is "$(ctl history --json | jq -c '.generations[0] | [.how, .of, .result]')" '["rollback",1,"done"]' "and says so"
ok "to one by its number" ctl rollback 2
is "$(status '.generation, .policy.version' | xargs), $(reaches 8080)" "4 2, open" "too"
held_now() { same "$(ls /proc/$tegd_pid/fd | wc -l)" "$held"; }
ok "tegd holds as many descriptors as before" held_now
ok "on a base that is not: 75" ends 75 ctl rollback 1 --if-match 2-0123456789abcdef
ok "to one that there is not" bash -c '"$0" --socket "$1" rollback 99; [ $? = 2 -o $? = 64 ]' "$BUILD/tegctl" $sock
is "$(status .generation)" 4 "changes nothing"

# --- commit-confirm
ok "a change that must be confirmed" ends 0 ctl apply $lab/one.tegb --confirm 60s
holds "$(cat $lab/said)" "UNLESS IT IS CONFIRMED" "is loud"
holds "$(ctl status)" "UNLESS IT IS CONFIRMED" "in the status too"
is "$(status '(.pending.until | fromdate) - now | . > 50 and . <= 61'), $(status .pending.before)" "true, 4" "which says until when, and what comes back"
ok "meanwhile another change is refused: 75" ends 75 ctl apply $lab/two.tegb
ok "and so is a rollback: 75" ends 75 ctl rollback
ok "it is confirmed" ends 0 ctl confirm
is "$(status .pending), $(status .generation)" "null, 5" "and stays"
is "$(ctl history --json | jq -r '.generations[0].result')" confirmed "which the history knows"
ok "there is nothing to confirm any more" bash -c '"$0" --socket "$1" confirm; [ $? = 2 -o $? = 75 ]' "$BUILD/tegctl" $sock
ok "one that is cancelled" ctl apply $lab/two.tegb --confirm 60s
is "$(reaches 8080)" open "is in force"
ok "until it is" ends 0 ctl cancel
is "$(status .policy.version), $(status .pending), $(reaches 8080)" "1, null, shut" "and then what was before"
ok "one that nobody confirms" ctl apply $lab/two.tegb --confirm 2s
is "$(reaches 8080)" open "is in force"
ok "goes by itself" becomes .policy.version 1
is "$(status .pending), $(reaches 8080)" "null, shut" "and what was before is back"
is "$(ctl history --json | jq -r '[.generations[] | .result] | .[0:2] | join(" ")')" "done not-confirmed" "which the history knows"

# --- over a connection from before the switch
python3 - $sock $lab/two.tegb > $lab/old <<'END'
import http.client, socket, sys

def connection():
    c = http.client.HTTPConnection("t")
    c.sock = socket.socket(socket.AF_UNIX)
    c.sock.connect(sys.argv[1])
    return c

def post(c, path, body=b"", **headers):
    c.request("POST", "/api/tegumentar/" + path, body, {"If-Match": "*", **headers})
    r = c.getresponse()
    r.read()
    return r.status

old = connection()
print(post(old, "policy", open(sys.argv[2], "rb").read(), **{"Content-Type": "application/octet-stream", "Confirm-Seconds": "30"}))
print(post(old, "confirm"))
print(post(connection(), "confirm"))
END
is "$(xargs < $lab/old)" "200 422 200" "a confirmation counts only over a connection that was opened after the switch"
ok "--confirm takes seconds, minutes, hours: 64" ends 64 ctl apply $lab/one.tegb --confirm soon
ok "the log is whole" ctl audit verify
holds "$(ctl audit --last 5)" "confirm" "and has all of it"

# --- what only a generation that is gone had
bundle $lab/more.tegb 's/version "1"/version "3"/
	s|^net owner .*|&\nnet many = [192.0.2.1, 198.51.100.0/24, 203.0.113.9, 192.0.2.77]|
	s|^    web: .*|&\n    far: allow tcp from many to self port 81|'
objects() { echo "$(nft list counters table inet tegumentar | grep -c 'counter .*far') $(nft list sets table inet tegumentar | grep -c 'set n_')"; }
ok "a policy with a rule and a set more" ctl apply $lab/more.tegb
is "$(objects)" "1 1" "has a counter and a set for them"
ok "one without" ctl apply $lab/one.tegb
is "$(objects)" "0 0" "leaves neither"
is "$(status .intact)" true "and is whole"
done_testing
