#!/bin/bash
# Names that nothing uses: told of those that the policy's own file declares, and of no other.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
cd "$dir" || exit 1

told() { "$tegc" check --no-proofs "$@" | sed -n 's/^warning.E0212.: nothing uses the //p' | tr '\n' ' '; }

cat > shared.teg <<'END'
net spare = 192.0.2.0/24
net part = 198.51.100.0/24
END
cat > edge.teg <<'END'
import "std/services.teg"
import "shared.teg"
param strict: boolean = false
param often: rate = 5/s
param stray: port = 8080
param pause: duration = 1h
zone wan = "eth0"
net whole = part + 203.0.113.0/24
net lonely = whole + 192.0.2.9
net guests = 192.0.2.128/25
net refused = 192.0.2.7
net _kept = 192.0.2.8
service app = tcp/8443
service old = tcp/[8444, stray]
limit calm = 50/s per source
limit slack = 50/s per source
posture CLOSED {
    default drop
    web: allow https from whole to self limit calm
    if strict { guest: allow app from guests to self }
}
initial posture CLOSED
playbook heal(src: address) {
    budget blocks 5 per 1h, runtime 10m
    phase first { block src for pause }
}
reflex flood {
    match udp on wan
    when rate per source > often
    do drop
}
test "no such thing" { refuses E0502 { net more = refused - refused } }
END
same '`lonely` `old` `slack` ' "$(told edge.teg | sed 's/\(net\|service\|limit\|parameter\) //g')" "a net, a service and a limit, and no other name"
same '`lonely` `guests` `app` `old` `slack` ' "$(sed 's/^    if strict.*//; s/param strict.*//' edge.teg > bare.teg; told bare.teg | sed 's/\(net\|service\|limit\|parameter\) //g')" "what only the branch not taken named"
same '' "$(told shared.teg)" "a file for others to import"
printf 'param office: net = 192.0.2.0/24\nposture CLOSED { default drop }\ninitial posture CLOSED\n' > param.teg
same 'parameter `office` ' "$(told param.teg)" "a parameter"
printf '# tegc: allow E0212 "for later"\nnet office = 192.0.2.0/24\nposture CLOSED { default drop }\ninitial posture CLOSED\n' > allowed.teg
same '0 1 allowed' "$("$tegc" check --no-proofs --fail-level warning allowed.teg >said; echo $? $(cat said))" "what is allowed is not told"
"$tegc" check --no-proofs --fail-level warning param.teg > said
same 2 $? "it counts at --fail-level warning"
echo "1..$n"
