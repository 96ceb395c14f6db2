#!/bin/bash
# tegc test --engine xdp: the packets of the policies' tests fare in this kernel as in the evaluator.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash && . tests/lib/linux.bash || exit 1

exits() { # CODE CLAIM COMMAND...: its words are in $out
	local want=$1 claim=$2 rc
	shift 2
	out=$("$@" 2>&1)
	rc=$?
	[ "$rc" = "$want" ]
	claim $? "$claim" <<<"expected exit $want, got $rc; $out"
}

awk '/^```teg$/ { on = 1; next } /^```/ { on = 0 } on' docs/policy-tests.md >"$dir/shop.teg"
exits 64 "an engine that does not exist is 64" "$tegc" test --engine eval,ebpf "$dir/shop.teg"
exits 0 "eval is asked in any case" "$tegc" test --engine eval "$dir/shop.teg"
if [ "$(id -u)" != 0 ]; then
	skip "packets fare alike" "needs root"
	echo "1..$n"
	exit
fi

# Every address of a packet, its fragments' worth of headers, blocks and their time.
cat >"$dir/hook.teg" <<'TEG'
zone wan = "eth0"
zone lan = "eth1"

net bad = [198.51.100.128/25, 2001:db8:bad::/48]

lifeline {
    owner: tcp from [203.0.113.0/24, 2001:db8:10::/48] to self port 22
}

block bad on wan

reflex flood {
    match  tcp flags syn/syn+ack on wan
    when   rate per source > 10 per 1s
    do     drop source for 60s
    except in SHUT
}

reflex null_scan {
    match tcp flags none/all
    do    drop, emit high
}

reflex dns_seen {
    match udp port 53
    do    emit low sample 1/100
}

reflex dns_flood {
    match  udp port 53
    when   rate per source > 3 per 1s
    do     emit medium
}

posture OPEN {
    default allow
}

posture SHUT {
    default drop
    established cut
}

initial posture OPEN

test "the first hook" {
    posture OPEN
    tcp 198.51.100.200:1 -> self:80 syn on wan                  => drop by bad
    tcp 198.51.100.200:1 -> self:80 syn on lan                  => allow
    tcp [2001:db8:bad::1]:1 -> self:80 syn on wan               => drop by bad
    tcp 198.51.100.1:1 -> self:80 none on lan                   => drop by null_scan
    tcp 198.51.100.1:1 -> 192.0.2.77:80 none forward on lan     => drop by null_scan
    tcp [2001:db8:10::5]:1 -> self:22 none on wan               => allow by lifeline
    icmpv6 135 2001:db8::1 -> self on wan                       => allow by neighbour
    udp 198.51.100.1:1 -> self:53 on wan                        => allow by default
    esp 198.51.100.1 -> self on wan                             => allow by default
    10 * (tcp 198.51.100.1:1 -> self:80 syn on wan)             => allow
    2 * (tcp 198.51.100.1:1 -> self:80 syn on wan) in 59999ms   => drop
    udp 198.51.100.1:1 -> self:53 on lan                        => drop by blocked
    after 1ms
    udp 198.51.100.1:1 -> self:53 on lan                        => allow
    11 * (tcp [2001:db8::1]:1 -> self:80 syn on wan)            => last drop by flood
    udp [2001:db8::2]:1 -> self:53 on wan                       => drop by blocked
    udp [2001:db8:0:1::2]:1 -> self:53 on wan                   => allow
}

test "told" {
    posture OPEN
    tcp 198.51.100.1:1 -> self:80 none on lan       => drop by null_scan, emits high
    3 * (udp 198.51.100.1:1 -> self:53 on lan)      => allow, emits low
    2 * (udp 198.51.100.1:1 -> self:53 on lan)      => allow, emits low, emits medium
    udp 198.51.100.200:1 -> self:53 on wan          => drop by bad
}

test "shut" {
    posture SHUT
    20 * (tcp 198.51.100.1:1 -> self:80 syn on wan)             => drop by default
    tcp 203.0.113.7:1 -> self:22 syn on wan                     => allow by lifeline
    icmpv4 3/1 198.51.100.1 -> self related on wan              => allow by related
    tcp 198.51.100.200:1 -> self:22 syn on wan                  => drop by bad
}
TEG
exits 69 "before Linux 6.1 no packet is asked of XDP, and 69 says so" setarch --uname-2.6 "$tegc" test --engine xdp "$dir/hook.teg"
[[ $out == *"before Linux 6.1"* ]]
claim $? "in words" <<<"$out"
if linux_before 6.1; then
	skip "packets fare alike" "this is Linux $(uname -r)"
	echo "1..$n"
	exit
fi
exits 0 "the layers of the first hook, IPv4 and IPv6, with time" "$tegc" test --engine eval,xdp "$dir/hook.teg"
[[ $out == *"hook.teg: 66 packets fare alike in this kernel's XDP"* ]]
claim $? "every packet is counted" <<<"$out"
exits 0 "the policy of docs/policy-tests.md" "$tegc" test --engine xdp "$dir/shop.teg"
for policy in policies/examples/*.teg; do
	exits 0 "$policy" "$tegc" test --engine xdp "$policy"
done
chmod 755 "$dir"
chmod 644 "$dir"/*
if command -v setpriv >/dev/null; then
	exits 77 "without the right it is 77" setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$tegc" test --engine xdp "$dir/hook.teg"
else
	skip "without the right it is 77" "setpriv is not installed"
fi
echo "1..$n"
