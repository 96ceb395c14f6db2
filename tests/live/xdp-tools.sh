#!/bin/bash
# Beside what xdp-filter and xdp-loader attach, by libxdp's dispatcher where the kernel has BTF: before tegd came, and after.
. tests/lib/live.bash
command -v xdp-filter >/dev/null && command -v xdp-loader >/dev/null || { echo "1..0 # SKIP xdp-tools are not installed"; exit 0; }
mount -t bpf bpf /sys/fs/bpf # theirs, without our pins

refused() { ! "$@" >$lab/said 2>&1; }
pings_from() { pings 10.9.0.1 -I "$1"; }
attached() { ip -j link show w0 | jq -c '.[0].xdp.prog.id'; }
servers 80
bundle $lab/one.tegb

# --- they were first
ok "xdp-filter is attached" xdp-filter load -m native w0
ok "and drops a source" xdp-filter ip -m src 10.9.0.3
theirs=$(attached) name=$(bpftool -j prog show id "$(attached)" | jq -r .name)
echo "# as $name"
ok "tegd starts beside it" tegd_start --engine auto --bundle $lab/one.tegb
is "$(status '.interfaces[0] | .engine + ": " + .reason')" "tc: another XDP program is attached ($name, number $theirs)" "TC judges, and status says beside whom"
is "$(status .intact) $(attached)" "true $theirs" "whose program is where it was"
is "$(pings_from 10.9.0.2) $(reaches 80) $(reaches 8080)" "answered open shut" "the policy is in force"
is "$(pings_from 10.9.0.3) $(pings_from 203.0.113.5)" "silent silent" "both drop what each drops"
ok "a rollout passes beside it" ctl apply $lab/one.tegb
is "$(status .engine) $(attached)" "tc $theirs" "and leaves it"
ok "xdp-filter goes" xdp-filter unload w0
ok "and XDP of ours takes over" soon xdp-native status .engine
is "$(status .intact) $(reaches 80) $(reaches 8080)" "true open shut" "as whole as TC was"

# --- we were first
ours=$(attached)
for mode in native skb; do
	ok "xdp-filter cannot come in place of ours: $mode" refused xdp-filter load -m $mode w0
	holds "$(cat $lab/said)" "busy" "since the kernel says that it is taken"
done
ok "xdp-loader cannot take ours away" refused xdp-loader unload -a w0
ok "nor can ip" refused ip link set dev w0 xdp off
is "$(attached) $(status .intact)" "$ours true" "ours is where it was"
is "$(reaches 80) $(reaches 8080)" "open shut" "and judges"
tegd_end TERM

# --- where TC judges there is room
ok "tegd starts with TC" tegd_start --engine tc
ok "xdp-filter comes" xdp-filter load -m native w0
ok "and drops a source" xdp-filter ip -m src 10.9.0.3
is "$(pings_from 10.9.0.3) $(pings_from 203.0.113.5) $(reaches 80) $(reaches 8080)" "silent silent open shut" "both judge"
is "$(status '.engine, .intact' | xargs)" "tc true" "and tegd has nothing to mend"
done_testing
