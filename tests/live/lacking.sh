#!/bin/bash
# What a host may keep from tegd: said by its name where it is missed, and never half-way.
. tests/lib/live.bash
bundle $lab/edge.tegb

# A program can be loaded and attached without it, and then never be replaced.
without() { # without CAPABILITY COMMAND...: whoever starts it
	printf '#!/bin/sh\nexec setpriv --bounding-set=-%s --inh-caps=-%s %s/tegd "$@"\n' $1 $1 "$BUILD" >$lab/tegd
	chmod +x $lab/tegd
	tegd=$lab/tegd
}
without sys_admin
ok "without CAP_SYS_ADMIN tegd starts" tegd_start --bundle $lab/edge.tegb
is "$(status .engine)" nft "nft judges"
holds "$(status '.interfaces[0].reason')" CAP_SYS_ADMIN "and the reason names what is lacking"
ok "another policy follows" ctl apply $lab/edge.tegb
is "$(status '[.generation, .intact] | tostring')" "[2,true]" "whole"
tegd_end TERM
forget
for engine in native tc; do
	holds "$(timeout 10 $tegd --state-dir $lab/state --run-dir $lab/run --pin-dir $lab/bpf/teg --engine $engine 2>&1)" CAP_SYS_ADMIN "$engine, asked for outright, is refused with that name"
	forget
done
tegd=

# A bundle is larger than a file may be.
printf '#!/bin/sh\nulimit -f 64\nexec %s/tegd "$@"\n' "$BUILD" >$lab/tegd
tegd=$lab/tegd
ok "where files may have 64 KiB tegd starts" tegd_start
holds "$(ctl apply $lab/edge.tegb 2>&1)" "File too large" "a bundle that cannot be kept is refused, and it is said why"
ok "and it goes on" kill -0 $tegd_pid
is "$(status .generation)" 0 "with nothing in force"
tegd_end TERM

# Too few open files for the api, whose descriptors have numbers of their own. Nobody is asked then, who would wait for an answer.
(ulimit -n 40 && exec "$BUILD/tegd" --state-dir $lab/state --run-dir $lab/run --pin-dir $lab/bpf/teg --bundle $lab/edge.tegb) >$lab/few 2>&1 &
few=$!
says() { grep -o -m1 "$1" $lab/few; }
ok "where the api may have too few files that is said" soon "the api cannot be started: it may not have enough open files" says "the api cannot be started: it may not have enough open files"
ok "and the policy is in force all the same" soon "generation 1 is in force" says "generation 1 is in force"
kill $few
wait $few
forget

# A run directory without room for the socket, as after a boot: what is kept judges, and the api is reached later.
tegd=
servers 80 8080
ok "tegd starts" tegd_start --engine native --bundle $lab/edge.tegb
tegd_end TERM
umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >$lab/token; umask 022
over_tcp() { curl -s -m 5 -H "Authorization: Bearer $(cat $lab/token)" http://127.0.0.1:8765/api/tegumentar/status | jq -r "$1"; }
log_has() { grep -q "$1" $lab/late && echo yes; }
no_room() { # no_room full|read-only
	mount -t tmpfs -o mode=755,nr_inodes=3 tmpfs $lab/run
	[ "$1" = full ] && touch $lab/run/1 $lab/run/2 || mount -o remount,ro $lab/run
}
room() { rm -f $lab/run/1 $lab/run/2; mount -o remount,rw $lab/run; }
boot() { # boot FLAG...: tegd after a boot, as tegd_pid, whose words come to $lab/late
	nft flush ruleset
	rm -rf $lab/bpf/teg
	ip link set w0 xdp off
	until [ "$(bpftool -j net show | jq '[.[] | .xdp + .tc | length] | add')" = 0 ]; do sleep 0.02; done
	python3 tests/lib/manager.py 120 -- "$BUILD/tegd" --state-dir $lab/state --run-dir $lab/run --pin-dir $lab/bpf/teg --engine native "$@" >$lab/told 2>$lab/late &
	manager=$!
	ok "$why: the manager is told that tegd is ready" soon READY=1 grep -m1 READY $lab/told
	tegd_pid=$(pgrep -P $manager)
	is "$(reaches 80), $(reaches 8080)" "open, shut" "$why: the kept policy is in force"
}
over() {
	kill -TERM $tegd_pid
	wait $manager
	tegd_pid=
	is "$(tail -1 $lab/told)" "exit 0" "$why: it ends as it should"
	umount $lab/run
}
for why in full read-only; do
	[ $why = full ] && words="No space left on device" || words="Read-only file system"
	no_room $why
	boot
	is "$(grep -c "the api is not reached as it should be.*api.sock: $words" $lab/late)" 1 "$why: it is said why the api is not reached, once"
	holds "$(grep -m1 STATUS $lab/told)" "$words" "$why: to the manager too"
	is "$(pgrep -P $tegd_pid | wc -l)" 0 "$why: no api is started for nobody"
	room
	ok "$why: when there is room the api is reached" soon restored status .adopted
	is "$(status '.intact, .fault' | xargs), $(stat -c %a $lab/run/api.sock)" "true, 660" "$why: and all is as it should be"
	is "$(grep STATUS $lab/told | tail -1)" "STATUS=" "$why: for the manager too"
	over

	no_room $why
	boot --listen 127.0.0.1:8765 --token-file $lab/token
	ok "$why: over TCP the api is reached" soon restored over_tcp .adopted
	holds "$(over_tcp .fault)" "$words" "$why: and tells why not at its socket"
	room
	ok "$why: when there is room it is reached there" soon true status .intact
	is "$(over_tcp .intact)" true "$why: and over TCP as before"
	over
done
# ... nor does one keep it from judging that has the address.
why="an address that another has"
nc -lk 127.0.0.1 8765 </dev/null >/dev/null 2>&1 &
other=$!
until ss -Hltn "sport = 8765" | grep -q .; do sleep 0.02; done
mount -t tmpfs -o mode=755 tmpfs $lab/run
boot --listen 127.0.0.1:8765 --token-file $lab/token
holds "$(status .fault)" "cannot listen on 127.0.0.1:8765: Address already in use" "$why: the status says so"
kill $other
ok "$why: when it is free the api is reached there" soon true over_tcp .intact
over
done_testing
