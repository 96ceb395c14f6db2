#!/bin/bash
# A rate for each flow lets so many packets of one by, whoever judges: programs and nft count alike, and keep their buckets over a rollout.
. tests/lib/live.bash
more='
reflex each {
    match udp port 9
    when  rate per flow > 5 per 1h
    do    drop, emit low
}
'
{ cat tests/live/edge.teg; echo "$more"; } > $lab/one.teg
sed 's/version "1"/version "2"/' $lab/one.teg > $lab/two.teg
"$BUILD/tegc" build $lab/one.teg -o $lab/one.tegb && "$BUILD/tegc" build $lab/two.teg -o $lab/two.tegb || { echo "Bail out! tegc cannot build"; exit 1; }
over() { # over COUNT SOURCE SOURCE-PORT [DESTINATION]: so many packets of one flow; how many of them were over
	local before=$(counter reflex.each)
	outside python3 -c '
import socket, sys
six = ":" in sys.argv[2]
out = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
out.bind((sys.argv[2], int(sys.argv[3])))
for _ in range(int(sys.argv[1])):
    out.sendto(b"x", (sys.argv[4], 9))
' "$1" "$2" "$3" "${4-10.9.0.1}"
	echo $(($(counter reflex.each) - before))
}

for engine in native tc nft; do
	ok "$engine: tegd takes a policy that counts flows" tegd_start --engine $engine --bundle $lab/one.tegb
	is "$(over 8 10.9.0.2 1000)" 3 "$engine: of a flow of eight three are over"
	is "$(over 7 10.9.0.2 1001)" 2 "$engine: another port has its own bucket"
	is "$(over 6 10.9.0.3 1000)" 1 "$engine: so has another source"
	is "$(over 7 fd00:9::2 1000 fd00:9::1)" 2 "$engine: and IPv6"
	ok "$engine: a rollout" ctl apply $lab/two.tegb
	is "$(over 2 10.9.0.2 1000) $(over 2 10.9.0.2 1002)" "2 0" "$engine: keeps the buckets"
	tegd_end TERM
	rm -rf $lab/state $lab/bpf/teg
	nft flush ruleset
done
done_testing
