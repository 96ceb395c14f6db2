#!/bin/bash
# Wrong requests by the hundred thousand to a real tegd: each is refused as the client's mistake, nothing changes, nothing leaks.
. tests/lib/live.bash

requests=${HAMMER_REQUESTS:-200000}
umask 077
"$BUILD/tegctl" token look viewer $lab/look.token > $lab/tokens
bundle $lab/one.tegb
ok "tegd starts" tegd_start --engine nft --bundle $lab/one.tegb --listen 127.0.0.1:8765 --tokens $lab/tokens --rate-limit 0
api() { pgrep -P $tegd_pid -f -- --role=api; }
rss() { awk '/^VmRSS/ { print $2 }' /proc/$1/status; }
fds() { ls /proc/$1/fd | wc -l; }
hammer() { python3 tests/lib/hammer.py $lab/run/api.sock 8765 "$(cat $lab/look.token)" 300 $1 > $lab/counts; }
settles() { local i; for i in $(seq 100); do [ "$(fds "$1")" -le "$2" ] && return; sleep 0.05; done; echo "$(fds "$1") descriptors, before $2"; false; } # settles PID COUNT

hammer 20000 # what is kept for ever is kept by now
first=$(api) before=$(status '.generation, .posture, .intact' | xargs)
warden_rss=$(rss $tegd_pid) api_rss=$(rss $first) warden_fds=$(fds $tegd_pid) api_fds=$(fds $first)
hammer $requests
sed 's/^/# /' $lab/counts
ok "$requests wrong requests are answered" [ "$(head -1 $lab/counts)" -ge $requests ]
is "$(sed 1d $lab/counts | grep -v -e '^4' -e '^50[15] ' | xargs)" "" "each as a mistake of the client's (501 a playbook, 505 HTTP's word for a damaged version)"
ok "of ten kinds" [ "$(sed 1d $lab/counts | wc -l)" -ge 10 ]
is "$(api)" "$first" "by the process that was there before"
is "$(status '.generation, .posture, .intact' | xargs)" "$before" "nothing has changed"
is "$(ctl block --json | jq .total)" 0 "nobody is blocked"
grown() { [ $(($2 - $1)) -le 3072 ] || { echo "$1 kB before, $2 kB after"; false; }; } # grown BEFORE AFTER: by 3 MB at most
if ! ldd "$BUILD/tegd" | grep -q libasan; then # which keeps what was freed
	ok "the api has not grown" grown $api_rss "$(rss $first)"
	ok "nor has the warden" grown $warden_rss "$(rss $tegd_pid)"
fi
ok "the api has no descriptor left over" settles $first $api_fds
ok "nor has the warden" settles $tegd_pid $warden_fds
done_testing
