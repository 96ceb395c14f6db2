#!/bin/bash
# A posture with an end goes back by itself: in time, after a crash, through a rollout and a boot's new program.
. tests/lib/live.bash
unshare --time --boottime 1 true 2>/dev/null || { echo "1..0 # SKIP the kernel has no time namespaces"; exit 0; }

real=$(realpath "$BUILD")
# later SECONDS: tegd dies, and is started as if so much time had gone by since the boot.
later() {
	tegd_end KILL
	flock -w 5 $lab/state true # unshare(1) is gone a moment before the tegd it started
	cat > $lab/tegd <<-END
		#!/bin/sh
		exec unshare --time --boottime $1 --fork --kill-child=KILL "$real/tegd" "\$@"
	END
	chmod +x $lab/tegd
	ln -sf "$real/tegctl" $lab/tegctl
	BUILD=$lab tegd_start --engine "${ENGINE:-native}"
}
# What is left of a posture when tegd is started to see it go: enough to start in, also where all is slow.
left=$(awk -v patience="$TEST_PATIENCE" 'BEGIN { print patience < 1 ? 5 : 25 }')
becomes() { # becomes POSTURE: in time
	local i
	for i in $(seq $((left * 10 + 30))); do [ "$(status .posture)" = "$1" ] && return; sleep 0.1; done
	status .posture
	false
}

servers 22 80
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/'
ok "tegd starts" tegd_start --engine "${ENGINE:-native}" --bundle $lab/one.tegb
ctl posture LOCKDOWN --for 1h --reason "for an hour" >/dev/null
SECONDS=0
is "$(reaches 80)" shut "LOCKDOWN for an hour"
until=$(status .posture_until)
ctl apply $lab/two.tegb >/dev/null
is "$(status '.generation, .posture, .posture_until' | xargs)" "2 LOCKDOWN $until" "a rollout keeps its end"
ok "killed, and 20 s later" later 20
is "$(status '.adopted, .posture, .posture_until, .posture_reason' | xargs)" "adopted LOCKDOWN $until for an hour" "it stands, with its end"
ok "killed, and later still" later 1800
is "$(status '.posture, .intact' | xargs)" "LOCKDOWN true" "it stands still"
is "$(reaches 80)" shut "for packets too"
ok "killed, and shortly before the hour is over" later $((3600 - left - SECONDS))
ok "it goes back by itself" becomes BALANCED
is "$(status '.posture_until, .posture_reason, .intact' | xargs)" "null the time of LOCKDOWN was over true" "status says why"
is "$(reaches 80)" open "for packets too"
ctl posture LOCKDOWN --for 1m >/dev/null
ok "killed, and found after its end" later 9000
ok "it goes back at once" becomes BALANCED
ctl posture LOCKDOWN --for 1m >/dev/null
ctl posture LOCKDOWN >/dev/null
ok "an end that was taken away, later" later 20000
sleep 0.5
is "$(status '.posture, .posture_until' | xargs)" "LOCKDOWN null" "does not come"
nft flush table inet tegumentar
ctl posture BALANCED --for 1h >/dev/null 2>&1
ok "restored from the kept bundle" later 20010
is "$(status '.adopted, .posture, .posture_next, .intact' | xargs)" "restored BALANCED LOCKDOWN true" "a posture keeps its end"
tegd_end KILL # unshare(1) holds back SIGTERM
done_testing
