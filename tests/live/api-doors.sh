#!/bin/bash
# The API of a real tegd that has no policy yet: who may come in by which door, what it says, how tegctl ends.
. tests/lib/live.bash

token=correct-horse-battery-staple
(umask 077; echo $token > $lab/token; echo wrong-wrong-wrong-wrong > $lab/wrong)
sock=$lab/run/api.sock
tcp=http://127.0.0.1:8765
code() { curl -s -o $lab/body -w '%{http_code}' "$@"; }
ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
remote() { "$BUILD/tegctl" --url $tcp "$@"; }
as() { setpriv --reuid $1 --regid $2 --clear-groups -- "${@:3}"; }

ok "tegd starts without a policy" tegd_start --listen 127.0.0.1:8765 --token-file $lab/token

# --- nothing is enforced, and it says so
is "$(status '.generation, .policy, .intact' | xargs)" "0 null true" "status: no generation"
is "$(code --unix-socket $sock http://t/healthz)" 200 "alive"
is "$(code --unix-socket $sock http://t/readyz)" 503 "not ready"
holds "$(jq -r '.reasons[0]' $lab/body)" "tegctl apply" "with what to do"
ok "a posture without a policy is a conflict: 75" ends 75 ctl posture BALANCED
head -c 5000 /dev/urandom > $lab/noise.tegb
ok "noise is no bundle: 2" ends 2 ctl apply $lab/noise.tegb
holds "$(cat $lab/said)" "seal" "and the part that refused is named"
: > $lab/empty.tegb
ok "nor is nothing: 2" ends 2 ctl apply $lab/empty.tegb
truncate -s 300M $lab/large.tegb
ok "nor is what is too large: 2" ends 2 ctl apply $lab/large.tegb
holds "$(cat $lab/said)" "268435456" "and the limit is named"
ok "a file that is not there: 66" ends 66 ctl apply $lab/nothing.tegb
ok "metrics as promtool likes them" promtool check metrics < <(ctl metrics)
ok "and as JSON" jq -e 'map(select(.name == "tegumentar_generation"))[0].value == 0' <(ctl metrics --json)

# --- tegctl by itself
ok "no command: 64" ends 64 ctl
ok "an unknown command: 64" ends 64 ctl frobnicate
ok "an argument too many: 64" ends 64 ctl status now
ok "an option of another command: 64" ends 64 ctl status --reason x
ok "help: 0" ends 0 ctl help
ok "nobody there: 69" ends 69 "$BUILD/tegctl" --socket $lab/nowhere status
holds "$(cat $lab/said)" "start tegd" "with what to do"
ok "the same as JSON" jq -e '.problem == "unreachable" and .try' <("$BUILD/tegctl" --socket $lab/nowhere --json status)
ok "an answer that cannot be written: 74" ends 74 bash -c '"$0" --socket "$1" status >/dev/full' "$BUILD/tegctl" $sock

# --- TCP
ok "the token opens the TCP door" ends 0 remote --token-file $lab/token status
ok "another one does not: 77" ends 77 remote --token-file $lab/wrong status
ok "nor does none: 77" ends 77 remote status
is "$(code $tcp/healthz)" 200 "health needs none"
is "$(code $tcp/readyz)" 401 "readiness does"
is "$(code -H "Authorization: Bearer $token" $tcp/readyz)" 503 "and answers with it"
chmod 644 $lab/wrong
ok "a token file that others may read is refused: 77" ends 77 remote --token-file $lab/wrong status
ok "a token never leaves for another host in the clear: 64" ends 64 \
	"$BUILD/tegctl" --url http://192.0.2.1:1 --token-file $lab/token status
is "$(grep -cF -e "$token" $lab/log)" 0 "the token is in no log"
is "$(cat /proc/[0-9]*/cmdline | grep -acFf $lab/token)" 0 "nor in a command line"

# --- tokens with roles
tegd_end TERM
for who in viewer operator policy-admin; do
	ok "a token for a $who" "$BUILD/tegctl" token my-$who $who $lab/$who.token
	cat $lab/answer >> $lab/tokens
done
is "$(stat -c %a $lab/viewer.token)" 600 "is readable by its owner alone"
ok "and never written over another: 74" ends 74 ctl token other viewer $lab/viewer.token
ok "nor made for a role that there is not: 64" ends 64 ctl token other king $lab/king.token
is "$(awk '{ print $1, $2, length($3) }' $lab/tokens | tail -1)" "my-policy-admin policy-admin 64" "a line has a name, a role and a digest"
is "$(tail -1 $lab/tokens | cut -d' ' -f3)" "$(tr -d '\n' < $lab/policy-admin.token | sha256sum | cut -d' ' -f1)" "which is SHA-256 of the token"
chmod 644 $lab/tokens
is "$("$BUILD/tegd" --check --tokens $lab/tokens 2>&1 | grep -c 'chmod 600')" 1 "a tokens file that others may read is refused"
chmod 640 $lab/tokens
is "$("$BUILD/tegd" --check --tokens $lab/tokens 2>&1 | grep -c 'chmod 600')" 1 "and one that a group may"
chmod 600 $lab/tokens
echo "more viewer 12" > $lab/tokens-broken; chmod 600 $lab/tokens-broken
is "$("$BUILD/tegd" --check --tokens $lab/tokens-broken 2>&1 | grep -c 'tokens: line 1: a token.s digest')" 1 "a broken line is named"
is "$("$BUILD/tegd" --check --viewers no-such-user-here 2>&1 | grep -c 'viewers: there is no user')" 1 "and so is a user that there is not"
ok "tegd starts with them" tegd_start --listen 127.0.0.1:8765 --tokens $lab/tokens --operators 23456 --viewers @23457 --socket-role viewer
ok "a viewer may look" ends 0 remote --token-file $lab/viewer.token status
ok "and not act: 77" ends 77 remote --token-file $lab/viewer.token posture BALANCED
holds "$(cat $lab/said)" "token my-viewer has the role viewer" "which is told"
ok "an operator may act (there is no policy: 75)" ends 75 remote --token-file $lab/operator.token posture BALANCED
ok "and not replace the policy: 77" ends 77 remote --token-file $lab/operator.token apply $lab/noise.tegb
ok "a policy-admin may (it is noise: 2)" ends 2 remote --token-file $lab/policy-admin.token apply $lab/noise.tegb
ok "the former token is nobody's any more: 77" ends 77 remote --token-file $lab/token status
chgrp 12345 $sock
tegd_api=$(pgrep -P $tegd_pid); kill -9 $tegd_api
until ctl status >/dev/null 2>&1; do sleep 0.05; done
ok "on the Unix socket, its group has the socket's role" ends 0 as 65534 12345 "$BUILD/tegctl" --socket $sock status
ok "and no more: 77" ends 77 as 65534 12345 "$BUILD/tegctl" --socket $sock posture BALANCED
ok "who is listed has the role that the list gives" ends 75 as 23456 12345 "$BUILD/tegctl" --socket $sock posture BALANCED
tegd_end TERM
ok "tegd starts" tegd_start --listen 127.0.0.1:8765 --token-file $lab/token

# --- the Unix door
ok "a stranger is kept out by the file's mode: 77" ends 77 as 65534 65534 "$BUILD/tegctl" --socket $sock status
chmod 666 $sock
ok "and, should the mode be wrong, by the api: 77" ends 77 as 65534 65534 "$BUILD/tegctl" --socket $sock status
holds "$(cat $lab/said)" "role viewer" "who says what is missing"
chgrp 12345 $sock
chmod 660 $sock

# --- the process that answers
api=$(pgrep -P $tegd_pid)
is "$(awk '/^Uid/ { print ($2 > 0) }' /proc/$api/status)" 1 "the api is not root"
is "$(awk '/^Cap(Inh|Prm|Eff|Bnd|Amb)/ { n += $2 != "0000000000000000" } END { print n }' /proc/$api/status)" 0 \
	"has no capability and can get none"
is "$(awk '/^NoNewPrivs/ { print $2 }' /proc/$api/status)" 1 "and no program it could start would"
kill -9 $api
returns() { for i in $(seq 100); do ctl status >/dev/null 2>&1 && return; sleep 0.05; done; return 1; }
ok "killed, it is started again" returns
ok "and knows the socket's group as it is now" ends 0 as 65534 12345 "$BUILD/tegctl" --socket $sock status
beside() { setpriv --reuid 65534 --regid 65534 --groups "$1" -- "$BUILD/tegctl" --socket $sock status; } # beside GROUPS: those that one is in besides one's own
ok "also who is in it besides the own group" ends 0 beside 23456,12345

# --- the end
tegd_end TERM
ok "afterwards nobody answers: 69" ends 69 ctl status
done_testing
