#!/bin/bash
# Where XDP cannot be had TC judges: beside a foreign XDP program, on bridges, with jumbo and tagged frames; and engines take turns.
. tests/lib/live.bash
! linux_before 6.6 || { echo "1..0 # SKIP before Linux 6.6 TC is not had beside another's filter of the first priority: tests/live/clsact has that"; exit 0; }
servers 80 8080
bundle $lab/star.tegb 's|"w0"|["w*", "t0"]|'
interfaces() { status '.interfaces[] | .name + ":" + .engine' | xargs; }
reason() { status ".interfaces[] | select(.name == \"$1\") | .reason"; }
ours() { ls $lab/bpf/teg | grep -cE "^(tcx|clsact)_"; } # interfaces that TC judges on
mac() { ip -j link show "$1" | jq -r '.[0].address'; }
tagged() { # tagged MAC COUNT: a ping of a blocked source, within a VLAN tag
	outside python3 - "$@" <<-'PY'
	import socket, struct, sys
	mac = bytes.fromhex(sys.argv[1].replace(":", ""))
	icmp = b"\x08\0\xf7\xff\0\0\0\0"
	ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 7, 0, 64, 1, 0) + bytes([203, 0, 113, 5, 10, 9, 0, 1])
	link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	link.bind(("c0", 0))
	for _ in range(int(sys.argv[2])):
	    link.send(mac + b"\2\0\0\0\0\2" + struct.pack("!HHH", 0x8100, 0x6005, 0x800) + ip + icmp)
	PY
}

clang=$(command -v clang-19 clang | head -1)
cat > $lab/theirs.c <<'C'
__attribute__((section("xdp"), used)) int theirs(void *frame) { return 2; }
__attribute__((section("tc"), used)) int accepts(void *frame) { return 0; }
__attribute__((section("license"), used)) char gpl[] = "GPL";
C
$clang -target bpf -O2 -c $lab/theirs.c -o $lab/theirs.o

# --- beside others
ip link set dev w0 xdp obj $lab/theirs.o sec xdp
tc qdisc add dev w0 clsact
tc filter add dev w0 ingress prio 1 bpf da obj $lab/theirs.o sec tc
ip tuntap add dev t0 mode tun
ip link set t0 up
theirs() { bpftool net show dev w0 | grep driver; tc filter show dev w0 ingress; tc qdisc show dev w0; }
before=$(theirs)
ok "tegd starts beside a foreign XDP program and a foreign TC filter" tegd_start --engine auto --bundle $lab/star.tegb
is "$(interfaces)" "w0:tc t0:nft" "TC judges there, and nft where frames have no Ethernet header"
holds "$(reason w0)" "another XDP program is attached" "the reason tells of the program"
holds "$(reason w0)" "before 1 other program" "and of the filter"
holds "$(reason t0)" "no Ethernet header" "and of frames that cannot be read"
is "$(theirs)" "$before" "both are as they were"
is "$(reaches 80) $(reaches 8080) $(pings 10.9.0.1 -I 203.0.113.5)" "open shut silent" "the policy is enforced, whatever the filter behind accepts"
is "$(counter block.bogons)" 1 "and counted"
ok "a rollout passes beside them" ctl apply $lab/star.tegb
is "$(status '.intact, .generation' | xargs) $(theirs)" "true 2 $before" "whole, and they are as they were"

# --- a tagged frame
tagged "$(mac w0)" 5
is "$(counter block.bogons)" 6 "a tagged frame is read through, though the stack has taken the tag off"

# --- a restart, and somebody else's hand
tegd_end KILL
is "$(reaches 80) $(reaches 8080) $(pings 10.9.0.1 -I 203.0.113.5)" "open shut silent" "killed: the policy is enforced on"
ok "tegd starts again" tegd_start --engine auto --drift-seconds 1
is "$(status '.adopted, .generation, .intact' | xargs)" "adopted 2 true" "and adopts what it finds"
rm $lab/bpf/teg/tcx_*
sleep 0.1
is "$(pings 10.9.0.1 -I 203.0.113.5)" answered "taken off the interface, its layers judge no more"
for i in $(seq 40); do [ "$(status .drift.repaired)" = 1 ] && break; sleep 0.1; done
is "$(status '.drift.repaired, .intact' | xargs) $(pings 10.9.0.1 -I 203.0.113.5)" "1 true silent" "which is noticed, and repaired"
holds "$(cat $lab/log)" "tc: the anchor on w0 is gone" "and told"

# --- who comes later and puts himself first
until_is() { local i; for i in $(seq 60); do [ "$(status "$2" | xargs)" = "$1" ] && return; sleep 0.1; done; status "$2"; false; } # until_is WANT FILTER
put_first() { coproc first { python3 tests/lib/tcx_before.py $lab/bpf/theirs w0; }; read -r -u "${first[0]}" _; }
take_away() { kill $first_PID; wait $first_PID 2>/dev/null; }
echo '__attribute__((section("tc"), used)) int accepts(void *frame) { return 0; }' > $lab/accepts.c
$clang -target bpf -O2 -c $lab/accepts.c -o $lab/accepts.o
bpftool prog load $lab/accepts.o $lab/bpf/theirs
put_first
ok "a TCX program that is put before ours is noticed, and ours goes before it" until_is "2 true" '.drift.repaired, .intact'
is "$(pings 10.9.0.1 -I 203.0.113.5) $(reaches 80)" "silent open" "and judges again"
holds "$(cat $lab/log)" "tc: somebody has put 1 program before ours on w0" "and it is told"
is "$(ls $lab/bpf/teg | grep -c tcx_)" 1 "by one link"
take_away
tegd_end TERM
ok "tegd starts, and is to report only" tegd_start --engine auto --drift-seconds 1 --drift report
put_first
ok "it is told" until_is "1 0 false" '.drift.found, .drift.repaired, .intact'
holds "$(status .fault)" "tc: somebody has put 1 program before ours on w0" "by status"
is "$(pings 10.9.0.1 -I 203.0.113.5)" answered "and nothing is touched: what ours would drop is accepted"
take_away
tegd_end TERM
ip link set dev w0 xdp off
tc qdisc del dev w0 clsact
ip link del t0

# --- a bridge
ip link add br0 type bridge
ip link set br0 address "$(mac w0)"
ip link set w0 master br0
ip addr flush dev w0
ip addr add 10.9.0.1/24 dev br0
ip link set br0 up
ip route replace 203.0.113.0/24 dev br0
bundle $lab/bridge.tegb 's/"w0"/"br0"/'
ok "tegd starts" tegd_start --engine tc
ok "with a bridge as the zone's interface" ctl apply $lab/bridge.tegb
is "$(interfaces) $(reaches 80) $(reaches 8080) $(pings 10.9.0.1 -I 203.0.113.5)" "br0:tc open shut silent" "TC judges on the bridge"
is "$(ours)" 1 "and has left what is no port of the zone"
tegd_end TERM
ip link set w0 nomaster
ip link del br0
ip addr add 10.9.0.1/24 dev w0
ip route replace 203.0.113.0/24 dev w0

# --- engines in turn, over generations
bundle $lab/one.tegb
ok "tegd starts with TC" tegd_start --engine tc
ok "and a policy" ctl apply $lab/one.tegb
ip link set w0 mtu 9000
ip -n outside link set c0 mtu 9000
is "$(pings 10.9.0.1 -s 8900 -M do)" answered "a frame of 9000 bytes passes"
is "$(pings 10.9.0.1 -s 8900 -M do -I 203.0.113.5)" silent "and one of a blocked source is dropped"
is "$(ctl metrics | sed -n 's/^tegumentar_unjudged_packets_total{cause="short-[^"]*".*} //p' | sort -u)" 0 "nothing was found short"
for turn in native:xdp-native tc:tc nft:nft tc:tc generic:xdp-generic auto:xdp-generic; do
	tegd_end TERM
	tegd_start --engine ${turn%:*} >/dev/null
	ctl apply $lab/one.tegb >/dev/null
	is "$(interfaces) $(status .intact) $(reaches 80) $(reaches 8080) $(pings 10.9.0.1 -I 203.0.113.5)" \
		"w0:${turn#*:} true open shut silent" "engine ${turn%:*} takes over"
	is "$(bpftool net show dev w0 | grep -c generic) $(bpftool net show dev w0 | grep -c driver) $(ours)" \
		"$(case ${turn%:*} in native) echo 0 1 0 ;; tc) echo 0 0 1 ;; nft) echo 0 0 0 ;; *) echo 1 0 0 ;; esac)" "and the one before has left"
done
done_testing
