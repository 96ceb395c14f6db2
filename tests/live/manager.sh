#!/bin/bash
# A service manager is told when the policy is in force, and that tegd is alive; it may make the sockets.
. tests/lib/live.bash
bundle $lab/one.tegb
tegd="$BUILD/tegd --engine nft --state-dir $lab/state --run-dir $lab/run --pin-dir $lab/bpf/teg"
manager() { python3 tests/lib/manager.py "$@" 2>>$lab/log; }

manager 1.5 -- $tegd --bundle $lab/one.tegb >$lab/told
is "$(head -1 $lab/told)" "READY=1" "it is told when tegd is ready"
ok "several times that it is alive" test "$(grep -c WATCHDOG=1 $lab/told)" -ge 5
is "$(tail -2 $lab/told | xargs)" "STOPPING=1 exit 0" "and that it stops"

rm -f $lab/told
python3 tests/lib/manager.py 3 -- $tegd >$lab/told 2>>$lab/log &
until grep -q READY $lab/told 2>/dev/null; do sleep 0.02; done
kill -HUP "$(pgrep -P $!)"
wait $!
is "$(grep -v WATCHDOG $lab/told | sed 's/=[0-9]*$/=N/' | xargs)" "READY=N RELOADING=N MONOTONIC_USEC=N READY=N STOPPING=N exit 0" "it is told of a reload"

mkdir -p $lab/run && rm -f $lab/run/api.sock
rm -f $lab/told
umask 077; echo "a-token-of-some-length" >$lab/token; umask 022
manager 2 $lab/run/api.sock 127.0.0.1:8765 -- $tegd --listen 127.0.0.1:8765 --token-file $lab/token >$lab/told &
until grep -q READY $lab/told 2>/dev/null; do sleep 0.02; done
is "$(status '.adopted, .intact' | xargs)" "adopted true" "the manager's socket is answered"
is "$(curl -s -H "Authorization: Bearer a-token-of-some-length" http://127.0.0.1:8765/api/tegumentar/status | jq .generation)" 1 "so is that over TCP"
wait $!
ok "and its socket stays when tegd ends" test -S $lab/run/api.sock
rm -f $lab/run/api.sock

python3 tests/lib/manager.py 60 $lab/run/api.sock -- $tegd >$lab/told 2>>$lab/log &
manager=$!
answered() { local i; for i in $(seq 100); do ctl status >/dev/null 2>&1 && return; sleep 0.05; done; false; }
answered
kill -TERM "$(pgrep -f -- --role=api)"
ok "an api that was asked to end leaves the manager's socket to the next" answered
kill -KILL "$(pgrep -P $manager)"
wait $manager

manager 2 127.0.0.1:8766 -- $tegd --listen 127.0.0.1:8765 --token-file $lab/token >$lab/told
is "$(cat $lab/told)" "exit 1" "one at another address than the settings say is refused"
manager 2 127.0.0.1:8765 -- $tegd >$lab/told
is "$(cat $lab/told)" "exit 1" "and one that no setting asks for"
tegd_pid=
done_testing
