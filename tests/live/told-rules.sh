#!/bin/bash
# Rules of postures tell of packets, through nft's packet log: allowed, dropped and rejected, in and out, sampled and bounded, over rollouts and restarts.
. tests/lib/live.bash
servers 80 8080
rules='s/web:  allow tcp to self port 80$/web: allow tcp to self port 80 emit low\n    admin: drop tcp to self port 8080 emit critical\n    old: reject udp to self port 7 emit medium\n    some: drop udp to self port 9 emit high sample 1\/20\n    away: drop out udp port 514 emit high/'
bundle $lab/plain.tegb
bundle $lab/one.tegb "$rules"
heard() { jq -c "select(.event == \"rule\") | .data | select($1)" $lab/heard; } # heard FILTER
comes() { local i; for i in $(seq 300); do [ -n "$(heard "$1")" ] && return; sleep 0.05; done; echo "want: $1"; tail -5 $lab/heard; false; } # comes FILTER: soon
listen() { : > $lab/heard; "$BUILD/tegctl" --socket $lab/run/api.sock watch --json >> $lab/heard 2>&1 & listener=$!; for i in $(seq 100); do grep -q qualia $lab/heard && return; sleep 0.05; done; false; }
deafen() { kill $listener; wait $listener 2>/dev/null; }
udp() { # udp HOST PORT COUNT
	python3 -c '
import socket, sys
out = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[3])):
    try: out.sendto(b"x", (sys.argv[1], int(sys.argv[2])))
    except OSError: pass
' "$@"
}
told() { status ".events.$1"; }

ok "tegd takes a policy whose rules emit" tegd_start --engine "${ENGINE:-auto}" --bundle $lab/one.tegb
ok "somebody listens" listen
is "$(reaches 80)" open "an admitted service is reached"
ok "and told: by whom, from where, to what" comes '.event == "BALANCED.web" and .severity == "low" and .verdict == "allow" and .by == "BALANCED.web" and .source == "10.9.0.2" and .destination == "10.9.0.1" and .destination_port == 80 and .flags == "syn" and .interface == "w0" and .posture == "BALANCED" and .generation == 1'
ok "its head is the frame's" comes '.by == "BALANCED.web" and (.head | test("^[0-9a-f]{24}08004500")) and .length == 74'
is "$(reaches 80 fd00:9::1)" open "over IPv6"
ok "it is told too" comes '.by == "BALANCED.web" and .source == "fd00:9::2" and .protocol == "tcp"'
is "$(reaches 8080)" shut "another is dropped"
ok "and told so" comes '.by == "BALANCED.admin" and .verdict == "drop" and .severity == "critical" and .destination_port == 8080'
outside bash -c 'echo x > /dev/udp/10.9.0.1/7'
ok "so is what is rejected" comes '.by == "BALANCED.old" and .verdict == "reject" and .protocol == "udp"'
udp 10.9.0.2 514 1
ok "and what leaves" comes '.by == "BALANCED.away" and .verdict == "drop" and .destination == "10.9.0.2" and .interface == "w0"'
is "$(counter BALANCED.web) $(counter BALANCED.old)" "2 1" "all of it is counted once"

outside bash -c "$(declare -f udp); udp 10.9.0.1 9 100"
sleep 0.4
n=$(heard '.by == "BALANCED.some"' | wc -l)
ok "a sample of 1/20 tells some of 100, not many ($n)" [ "$n" -le 20 ]
before=$(told told)
outside bash -c "$(declare -f udp); udp 10.9.0.1 7 3000"
sleep 0.4
ok "of a flood no more is told than a rule may" [ $(($(told told) - before)) -le 400 ]
ok "but something is" [ $(($(told told) - before)) -ge 10 ]
is "$(counter BALANCED.old)" 3001 "and all is counted"

ok "another generation follows" ctl apply $lab/plain.tegb
is "$(nft list chains inet | grep -c 'tell\.')" 0 "without the rules, nothing is asked of the log"
ok "and back" ctl apply $lab/one.tegb
deafen
tegd_end KILL
is "$(reaches 80) $(reaches 8080)" "open shut" "killed: the policy is enforced on, whether or not somebody reads"
ok "tegd starts again" tegd_start --engine "${ENGINE:-auto}"
is "$(status '.adopted, .intact' | xargs)" "adopted true" "adopting what it finds"
ok "somebody listens again" listen
is "$(reaches 8080)" shut "what is dropped"
ok "is told" comes '.by == "BALANCED.admin" and .generation == 3'
deafen
done_testing
