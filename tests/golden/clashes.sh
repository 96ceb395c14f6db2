#!/bin/bash
# Tests that contradict each other: told when no policy could meet both, and never otherwise.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
cd "$dir" || exit 1

# Two tests of one policy, a case each or several; a rule more, to give it a memory.
policy() { # cases of the first test, of the second, declarations, posture of the second
	cat >edge.teg <<END
zone wan = "eth0"
lifeline { owner: tcp from 203.0.113.9 to self port 22 }
posture CLOSED {
    default drop
    web: allow tcp to self port 80
    all: allow udp
}
posture OTHER extends CLOSED { telnet: allow tcp to self port 23 }
initial posture CLOSED
$3
test "first" {
    posture CLOSED
$1
}
test "second" {
    posture ${4:-CLOSED}
$2
}
END
	"$tegc" check edge.teg >said 2>&1
	grep -c 'E0816' said
}

web='tcp 192.0.2.1:40000 -> self:80 syn on wan'
limited='reflex flood { match tcp to self port 80 when rate per source > 5/s do drop }'
same 1 "$(policy "    $web => allow" "    $web => drop" '')" "one packet, two verdicts"
same 0 "$(policy "    $web => allow" "    $web => allow by web" '')" "one packet, one verdict"
same 0 "$(policy "    $web => allow" "    $web => drop" '' OTHER)" "in two postures"
same 0 "$(policy "    $web => allow" "    tcp 192.0.2.1:40000 -> self:81 syn on wan => drop" '')" "another port"
same 1 "$(policy "    $web => allow" "    tcp 192.0.2.1:40000 -> self:80 syn => drop" '')" "a field left out stands for every value"
same 1 "$(policy "    tcp 192.0.2.1 -> self:80 syn on wan => allow" "    tcp 192.0.2.1:40000 -> self:80 syn => drop" '')" "each leaves out another field"
same 1 "$(policy "    $web => allow by web" "    $web => allow by all" '')" "two rules by name"
owner='tcp 203.0.113.9:40000 -> self:22 syn on wan'
same 0 "$(policy "    $owner => allow by owner" "    $owner => allow by lifeline" '')" "two names of one rule"
same 1 "$(policy "    $web => allow" "    forall tcp to self => drop" '')" "a packet, and a claim that means it"
same 1 "$(grep -c '`web` decides it: allow' said)" "the rule that decides is told"
same 0 "$(policy "    tcp 192.0.2.1:80 -> self:90 ack established => drop" "    forall tcp to self port 90 => allow" '')" "a claim is about new packets"
same 1 "$(policy "    forall tcp to self port 70..80 => allow" "    forall tcp from 192.0.2.0/24 => drop" '')" "two claims that overlap"
same 1 "$(grep -c 'for example: tcp 192.0.2.[0-9]*:[0-9]* -> self:' said)" "with a packet of both"
same 0 "$(policy "    forall tcp to self port 70..80 => allow" "    forall tcp to self port 81..90 => drop" '')" "two claims apart"
same 0 "$(policy "    forall udp => allow" "    forall tcp => drop" '')" "two protocols"
same 0 "$(policy "    6 * ($web) in 1s => allow" "    6 * ($web) in 1s => drop last" "$limited")" "only the last of six is to be dropped"
same 0 "$(policy "    $web => allow" "    20 * ($web) in 1s => drop last
    $web => drop" "$limited")" "in a policy that remembers, what comes later is another thing"
same 1 "$(policy "    $web => allow" "    $web => drop
    after 1s" "$limited")" "in a policy that remembers, the first packets are one"
same 1 "$(policy "    $web => allow" "    tcp 192.0.2.1:40000 -> self:90 syn on wan => drop
    $web => drop" '')" "in one that does not, all are"
same 0 "$(policy "    $web => allow" "    todo \"to come\"
    $web => drop" '')" "what is to come expects nothing yet"
echo "1..$n"
