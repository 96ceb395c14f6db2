# Frames that the outside sends with a VLAN tag, 5, more than they have: after live.bash.
cat >$lab/push.c <<'C'
static long (*push)(void *skb, unsigned short proto, unsigned short tag) = (void *)18; /* bpf_skb_vlan_push() */
__attribute__((section("tc"), used)) int tag(void *skb) { return push(skb, 0x0081 /* 0x8100, as it is sent */, 5) ? 2 : 0; }
__attribute__((section("license"), used)) char gpl[] = "GPL";
C
clang=$(command -v clang-19 clang | head -1)
$clang -target bpf -O2 -c $lab/push.c -o $lab/push.o
outside tc qdisc add dev c0 clsact 2>$lab/said || { echo "1..0 # SKIP this kernel has no clsact, which tags frames here: $(cat $lab/said)"; exit 0; }

tagged() { # tagged COMMAND...: what is sent meanwhile has one tag more, before all others
	outside tc filter add dev c0 egress bpf da obj $lab/push.o sec tc
	"$@"
	outside tc filter del dev c0 egress
}
tags() { outside ethtool -K c0 tx-vlan-hw-insert $1 tx-vlan-stag-hw-insert $1 >/dev/null 2>&1; } # tags on|off: beside the frame, or in it
