#!/bin/bash
# Interfaces that come, go and are renamed; other people's XDP and tables.
. tests/lib/live.bash
servers 80
bundle $lab/star.tegb 's/"w0"/"w*"/'
interfaces() { status '.interfaces[] | .name + ":" + .engine' | xargs; }

nft -f - <<'N'
table inet foreign {
	chain in {
		type filter hook input priority 10
		accept
	}
}
table netdev foreign {
	chain in {
		type filter hook ingress device "w0" priority 10
		accept
	}
}
N
foreign() { nft list table inet foreign; nft list table netdev foreign; }
before=$(foreign)

ok "tegd starts" tegd_start --engine auto --bundle $lab/star.tegb
is "$(interfaces)" w0:xdp-native "auto takes XDP in the driver"
ip link add w1 type veth peer name p1
ok "an interface that appears and matches is judged" soon "w0:xdp-native w1:xdp-native" interfaces
is "$(status .intact)" true "and its part stands"
ip link set w1 name x1
ok "renamed out of the zone, it is not" soon w0:xdp-native interfaces
is "$(bpftool -j net show | jq '.[].xdp | length')" 1 "and XDP has left it"
ip link set x1 name w1
ok "renamed back, it is" soon "w0:xdp-native w1:xdp-native" interfaces
ip link del w1
ok "one that disappears is forgotten" soon w0:xdp-native interfaces
is "$(status .intact)" true "and nothing is amiss"
is "$(ls $lab/bpf/teg | grep -c link_)" 1 "no pin is left of it"

# --- a port of a bridge, as which layer 4 sees its packets
reason() { status '.interfaces[0].reason'; }
ip link add br0 type bridge
ip link set w0 master br0
ok "a port of a bridge that is in no zone says so" soon "the driver runs XDP; layer 4 sees its packets on br0, which is not in this zone" reason
ip link set br0 name w9
ok "not when the bridge is in its zone, where frames are judged twice" soon "the driver runs XDP; what goes up to w9 is judged there again, and counts twice" reason
is "$(interfaces)" "w0:xdp-native w9:xdp-generic" "both are judged on arrival, the bridge in the stack"
why=$(status '.interfaces[1].reason')
holds "$why" "no native XDP" "for a reason"
ok "a rollout" ctl apply $lab/star.tegb
is "$(status '.interfaces[1].reason')" "$why" "does not forget the reason"
ip link add w8 type veth peer name p8
ok "another interface comes" soon "w0:xdp-native w9:xdp-generic w8:xdp-native" interfaces
is "$(status '.interfaces[1].reason')" "$why" "which does not either"
ip link del w8
ip link del w9
ok "the bridge is gone" soon w0:xdp-native interfaces
is "$(reason)" "the driver runs XDP" "and so is the word of it"
if ip link add link w0 name w9 type macvlan 2>/dev/null; then
	ok "a macvlan has the card's frames too, which says so" soon "the driver runs XDP; what goes up to w9 is judged there again, and counts twice" reason
	ip link del w9
	ok "until it is gone" soon "the driver runs XDP" reason
else
	ok "a macvlan # SKIP this kernel has none" true
fi

# --- an interface with somebody else's XDP
cat > $lab/theirs.c <<'C'
__attribute__((section("xdp"), used)) int theirs(void *frame) { return 2; }
__attribute__((section("license"), used)) char gpl[] = "GPL";
C
clang=$(command -v clang-19 clang | head -1)
$clang -target bpf -O2 -c $lab/theirs.c -o $lab/theirs.o
tegd_end KILL
ip link add w2 type veth peer name p2
ip link set dev w2 xdp obj $lab/theirs.o sec xdp
theirs=$(bpftool net show dev w2 | grep driver)
ok "tegd starts beside a foreign XDP program" tegd_start --engine auto
is "$(interfaces)" "w0:xdp-native w2:tc" "there TC judges"
holds "$(status '.interfaces[1].reason')" "another XDP program" "and the reason is told"
is "$(bpftool net show dev w2 | grep driver)" "$theirs" "the program is left where it is"
ok "a rollout passes beside it" ctl apply $lab/star.tegb
is "$(interfaces) $(status .engine)" "w0:xdp-native w2:tc mixed" "with both engines"
tegd_end TERM
ok "tegd starts with XDP forced" tegd_start --engine native
holds "$(ctl apply $lab/star.tegb 2>&1)" "w2" "native cannot be had there: staging says where"
is "$(status .generation)" 3 "and the running generation stays"
tegd_end TERM
ip link del w2

# --- from one engine to another, without a gap
ok "tegd starts with nft" tegd_start --engine nft
is "$(interfaces) $(reaches 8080) $(pings 10.9.0.1 -I 203.0.113.5)" "w0:nft shut silent" "nft takes over"
is "$(bpftool -j net show | jq '.[].xdp | length')" 0 "and XDP leaves"
tegd_end TERM
ok "tegd starts with generic XDP" tegd_start --engine generic
is "$(interfaces) $(reaches 8080) $(pings 10.9.0.1 -I 203.0.113.5)" "w0:xdp-generic shut silent" "which takes over"
is "$(nft list chains netdev | grep -c 'hook ingress')" 1 "only the foreign hook is left at ingress"
is "$(foreign)" "$before" "foreign tables are as they were"
tegd_end TERM

# --- more addresses than the first hook can take for its own
ok "tegd starts with XDP" tegd_start --engine native
ok "with a pattern of interfaces" ctl apply $lab/star.tegb
for i in $(seq 600); do echo "addr add 10.77.$((i / 256)).$((i % 256))/32 dev lo"; done | ip -batch -
told() { grep -c "more than 512 addresses" $lab/log; }
ok "is told, once" soon 1 told
holds "$(status '.intact, .fault')" "more than 512 addresses" "by the status too"
is "$(reaches 80 10.9.0.1)" open "what it knows is its own"
printf 'link add w7 type veth peer name p7\naddr add 10.78.0.1/24 dev w7\nlink set w7 up\n' | ip -batch -
ok "an interface that comes is judged all the same" soon "w0:xdp-native w7:xdp-native" interfaces
holds "$(status .fault)" "more than 512 addresses" "and the fault is not forgotten over it"
ip addr flush dev lo to 10.77.0.0/16
ok "with fewer addresses all is as it should be" soon true status .intact
is "$(told)" 1 "and nothing else was told"
ip link del w7

# --- one that comes while the kernel does not say which there are
refused() { grep -c "^tegd: cannot ask for interfaces and addresses: No buffer space" $lab/log; }
strace -qq -o $lab/trace -e trace=sendto -e inject=sendto:error=ENOBUFS -p $tegd_pid &
until grep -q "^TracerPid:.*[1-9]" /proc/$tegd_pid/status; do sleep 0.02; done
ip link add w6 type veth peer name p6
ok "interfaces that cannot be read are told" soon 1 refused
kill -INT %strace
wait %strace
is "$(interfaces)" w0:xdp-native "one that came is not judged yet"
ok "it is when they can be read, though nothing changes again" soon "w0:xdp-native w6:xdp-native" interfaces
is "$(status .intact), $(refused)" "true, 1" "and all is as it should be"
done_testing
