#!/bin/bash
# A state directory that is read-only or full: what is in force goes on, changes that must be remembered are refused, loudly, until it can be written.
. tests/lib/live.bash

bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/; s/port 80$/port [80, 8080]/'
servers 80 8080
ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
now() { status '.generation, .policy.version, .adopted' | xargs; }
metric() { ctl metrics | sed -n "s/^$1 //p"; }
http() { curl -s --unix-socket $lab/run/api.sock "$@"; } # http ARG...
# A mount of the same, over it: the log that tegd has open would keep the one below busy.
read_only_mount() { mount --bind $lab/state $lab/state && mount -o remount,bind,ro $lab/state; }
loud() { # loud WHY HOW
	holds "$(status .refuses)" "$2" "$1: the status says so"
	is "$(metric tegumentar_changes_refused)" 1 "$1: and a metric"
	holds "$(http http://t/readyz | jq -r '.reasons | join("; ")')" "$2" "$1: and /readyz"
	holds "$(ctl status)" "$2" "$1: and tegctl"
}
refuses() { # refuses WHY HOW
	ok "$1: a rollout is refused: 69" ends 69 ctl apply $lab/two.tegb
	holds "$(cat $lab/said)" "$2" "$1: it says why"
	holds "$(cat $lab/said)" "make room, or make it writable" "$1: and what to do"
	http -H 'If-Match: *' -H 'Content-Type: application/octet-stream' --data-binary @$lab/two.tegb http://t/api/tegumentar/policy > $lab/problem
	is "$(jq -r '.problem, .part, .status' $lab/problem | xargs)" "host-cannot journal 422" "$1: as a problem"
	ok "$1: so is a rollback: 69" ends 69 ctl rollback
	ok "$1: and a posture with an end, which would not be remembered: 69" ends 69 ctl posture LOCKDOWN --for 1m
	is "$(status .posture), $(reaches 80)" "BALANCED, open" "$1: which is not switched to"
	ok "$1: the host can be shut" ctl posture LOCKDOWN
	is "$(reaches 80)" shut "$1: and is"
	ok "$1: and opened" ctl posture BALANCED
	ok "$1: a source can be blocked" ctl block 10.9.0.2 --for 5m
	is "$(reaches 80)" shut "$1: and is"
	ok "$1: and let go" ctl unblock 10.9.0.2
	is "$(reaches 80)" open "$1: and is"
}

for engine in native nft; do
	rm -rf $lab/bpf/teg
	nft flush ruleset
	mkdir -p $lab/state
	mount -t tmpfs -o size=4m,mode=700 tmpfs $lab/state
	flags="--engine $engine --drift-seconds 1"
	ok "$engine: tegd starts" tegd_start $flags
	ok "$engine: one policy" ctl apply $lab/two.tegb
	ok "$engine: and another" ctl apply $lab/one.tegb
	is "$(status .refuses), $(metric tegumentar_changes_refused)" ", 0" "$engine: nothing is refused"
	held=$(status .nft_digest)

	# --- while tegd runs
	timeout 12 curl -sN --unix-socket $lab/run/api.sock http://t/api/tegumentar/events > $lab/events &
	listens=$!
	read_only_mount
	ok "$engine: it becomes read-only, which is noticed" soon true status '.refuses != ""'
	loud "$engine, read-only" "Read-only file system"
	refuses "$engine, read-only" "Read-only file system"

	# --- at a start
	tegd_end KILL
	ok "$engine: tegd starts on a directory that is read-only" tegd_start $flags
	is "$(now), $(status .nft_digest), $(reaches 80)" "2 1 adopted, $held, open" "$engine: and adopts what is enforced"
	loud "$engine, read-only at the start" "Read-only file system"
	holds "$("$BUILD/tegd" --state-dir $lab/state --run-dir $lab/run2 --pin-dir $lab/bpf/teg --engine nft 2>&1)" "another tegd runs" "$engine: two wardens are still refused"
	tables=$(nft list chains inet | sed -n 's/.*chain \(._hook_out\) .*/\1/p')
	nft delete chain inet tegumentar "$tables"
	ok "$engine: drift is repaired" soon true status '.drift.repaired > 0'
	is "$(now), $(reaches 80), $(reaches 8080)" "2 1 adopted, open, shut" "$engine: into what it was"
	tegd_end TERM
	nft flush ruleset
	rm -rf $lab/bpf/teg/*
	for port in w0; do ip link set dev $port xdp off 2>/dev/null; done
	ok "$engine: tegd starts after a boot" tegd_start $flags
	is "$(now), $(reaches 80), $(reaches 8080)" "2 1 restored, open, shut" "$engine: and restores what was enforced"

	# --- again
	mount -o remount,bind,rw $lab/state
	ok "$engine: it is writable again, which is noticed" soon "" status '.refuses'
	is "$(status .intact), $(metric tegumentar_changes_refused)" "true, 0" "$engine: all is well"
	ok "$engine: and a change is taken" ctl apply $lab/two.tegb
	is "$(reaches 8080)" open "$engine: and is"
	holds "$(ctl audit --last 30)" "state-dir" "$engine: the audit log tells of it"
	ok "$engine: and is whole" ctl audit verify
	kill $listens 2>/dev/null
	wait $listens 2>/dev/null
	holds "$(cat $lab/events)" "state-dir" "$engine: who listened was told"
	tegd_end KILL
	ok "$engine: it starts again" tegd_start $flags
	is "$(now)" "3 2 adopted" "$engine: what was written holds"

	# --- full
	ok "$engine: one that must be confirmed" ctl apply $lab/one.tegb --confirm 5s
	cat /dev/zero > $lab/state/junk 2>/dev/null
	ok "$engine, full: it cannot be confirmed: 69" ends 69 ctl confirm
	loud "$engine, full" "No space left"
	ok "$engine, full: so what was before comes back" soon 2 status '.policy.version'
	is "$(status .pending), $(reaches 8080)" "null, open" "$engine, full: all the same"
	refuses "$engine, full" "No space left"
	tegd_end KILL
	ok "$engine: tegd starts on a directory that is full" tegd_start $flags
	ok "$engine: with what was before, which the journal still waits for" soon 2 status '.policy.version'
	is "$(reaches 8080)" open "$engine: and it is"
	rm $lab/state/junk
	ok "$engine: there is room again, which is noticed" soon "" status '.refuses'
	ok "$engine: and a change is taken" ctl apply $lab/one.tegb

	# --- the journal alone, which is found when all is staged
	rm $lab/state/state && mkdir -p $lab/state/state/in-its-place
	ok "$engine, no journal: a rollout is refused: 69" ends 69 ctl apply $lab/two.tegb
	holds "$(cat $lab/said)" "cannot write the journal" "$engine, no journal: it says why"
	is "$(status .policy.version), $(reaches 80), $(reaches 8080)" "1, open, shut" "$engine, no journal: what is in force goes on"
	rm -r $lab/state/state
	ok "$engine: when there is room for one, a change is taken" ctl apply $lab/two.tegb
	is "$(status '.policy.version, .intact' | xargs), $(reaches 8080)" "2 true, open" "$engine: and is"
	tegd_end TERM
	umount $lab/state && umount $lab/state
done
done_testing
