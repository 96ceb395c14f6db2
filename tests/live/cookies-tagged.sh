#!/bin/bash
# A SYN with a VLAN tag is answered with a cookie that has the tag, so that it finds its way back, in XDP and TC; but for XDP in the
# driver where the card has taken the tag off.
. tests/lib/live.bash
. tests/lib/push.bash
. tests/lib/cookies.bash

servers 80
# A veth takes what XDP sends back when it has a program itself.
[ -e $cards ] || ip -n outside link set dev c0 xdpdrv object "$BUILD/bpf/anchor.bpf.o" section xdp
answered() { outside python3 tests/lib/answered.py c0 "$(mac)"; }
for engine in native generic tc; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/cookies.tegb
	is "$(reaches 80)" open "$engine: what is within the rate passes"
	is "$(answered)" "no tag" "$engine: a SYN over it without a tag is answered without"
	for beside in off on; do
		tags $beside
		# docs/packet-path.md, "SYN cookies"
		[ $beside-$engine = on-native ] && [ ! -e $cards ] && want="no tag" || want="tag 5"
		is "$(tagged answered)" "$want" "$engine: one with a tag $([ $beside = on ] && echo beside || echo in) the frame: $want"
	done
	is "$(counter reflex.syn_flood)" 3 "$engine: all are counted"
	tegd_end TERM
	forget
done
done_testing
