#!/bin/bash
# What the prover says at the prompt: tegc diff and the findings of tegc check, word for word.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1

# answers CODE CLAIM COMMAND...: the exit code, and standard output as it is on standard input.
answers() {
	local want_code=$1 claim=$2 got code want
	shift 2
	want=$(cat)
	got=$(cd "$dir" && NO_COLOR=1 "$@" 2>err)
	code=$?
	[ "$code" = "$want_code" ] && [ "$got" = "$want" ]
	claim $? "$claim" < <(diff <(echo "$want") <(echo "$got"); echo "exit $code, expected $want_code"; cat "$dir/err")
}

cat >"$dir/old.teg" <<'TEG'
policy edge "An edge" { version "1.0.0" }
zone wan = "eth0"
zone lan = ["eth1", "br-*"]
net office = [203.0.113.0/24, 2001:db8:10::/48]
net bogons = [10.0.0.0/8, 192.168.0.0/16]
lifeline {
    owner: tcp from office to self port 22
}
block bogons on wan
posture SHUT {
    default drop
    established cut
}
posture OPEN {
    default drop
    default out allow
    web_in: allow tcp to self port [80, 443]
    dns_in: allow udp to self port 53 on lan
}
initial posture OPEN
reflex syn_flood {
    match tcp flags syn/syn+ack on wan
    when  rate per source > 1000 per 100ms
    do    drop source for 60s
}
TEG

edit() { # SED-SCRIPT
	sed "$1" "$dir/old.teg" >"$dir/new.teg"
}

edit ''
answers 0 "the same text changes nothing" "$tegc" diff old.teg new.teg <<'OUT'
proved: nothing changes
0 opened (0 high), 0 closed, 0 rate, 0 effect, 0 unknown
OUT

edit 's/^    dns_in.*/&\n    ssh_any: allow tcp to self port 22/'
answers 3 "a port opened to everyone is risky" "$tegc" diff old.teg new.teg <<'OUT'
OPENED high     OPEN in   tcp from any to self port 22   drop -> allow
   because    + new.teg:19 ssh_any   was: default (old.teg:15)
   example    tcp 198.51.100.7:50000 -> self:22 syn on wan
   beside     what is decided before by owner (new.teg:7), bogons (new.teg:9)
   edge       port 23 stays drop
   flags      admin-port, from-untrusted
proved: nothing else changes
1 opened (1 high), 0 closed, 0 rate, 0 effect, 0 unknown
OUT
answers 2 "... below the level asked for it is only a difference" \
	"$tegc" diff --fail-on critical --markdown old.teg new.teg <<'OUT'
### What this changes

| change | risk | where | packets | verdict | because | example | flags |
|---|---|---|---|---|---|---|---|
| OPENED | high | OPEN in | tcp from any to self port 22 | drop → allow | \+ new.teg:19 ssh\_any   was: default \(old.teg:15\) | tcp 198.51.100.7:50000 -\> self:22 syn on wan | admin-port, from-untrusted |

proved: nothing else changes

**1 opened (1 high), 0 closed, 0 rate, 0 effect, 0 unknown**
OUT

edit '/web_in/{h;d};/dns_in/{G}'
answers 0 "rules that change places without effect" "$tegc" diff old.teg new.teg <<'OUT'
proved: nothing changes; 1 rule moved without effect
0 opened (0 high), 0 closed, 0 rate, 0 effect, 0 unknown
OUT

edit 's/ owner:.*/ owner: tcp from 203.0.113.0\/24 to self port 22/'
answers 3 "a lifeline that loses a network" "$tegc" diff old.teg new.teg <<'OUT'
CLOSED critical SHUT in   tcp over IPv6 from office to self port 22   allow -> drop
   because    ~ old.teg:7 owner   now: default (new.teg:11), syn_flood (new.teg:21), blocked and 1 more
   example    tcp [2001:db8:10::1]:50000 -> self:22 syn on wan
   edge       port 23 stays drop
   flags      self-lockout
CLOSED critical SHUT out   tcp over IPv6 from self port 22 to office   allow -> drop
   because    ~ old.teg:7 owner   now: default (new.teg:11), invalid
   example    tcp self:22 -> [2001:db8:10::1]:22 syn on wan
   flags      self-lockout
CLOSED critical OPEN in   tcp over IPv6 from office to self port 22   allow -> drop
   because    ~ old.teg:7 owner   now: default (new.teg:15), syn_flood (new.teg:21), blocked and 1 more
   example    tcp [2001:db8:10::1]:50000 -> self:22 syn on wan
   edge       port 23 stays drop
   flags      self-lockout
CLOSED critical OPEN in   8.3% of tcp over IPv6 from office to self port 22   allow -> drop
   because    ~ old.teg:7 owner   now: syn_flood (new.teg:21), blocked
   example    tcp [2001:db8:10::1]:50000 -> self:22 syn established on wan
   the rest   is decided by owner (old.teg:7)
   edge       port 23 stays drop
   only       if the rate of reflex.syn_flood is exceeded
   state      established, related
   flags      self-lockout, established-cut, opaque
CLOSED critical OPEN out   tcp over IPv6 from self port 22 to office   allow -> drop
   because    ~ old.teg:7 owner   now: invalid
   example    tcp self:22 -> [2001:db8:10::1]:22 syn invalid on wan
   state      invalid
   flags      self-lockout
proved: nothing else changes
0 opened (0 high), 5 closed, 0 rate, 0 effect, 0 unknown
OUT

edit 's/> 1000 per/> 2000 per/; s/"eth0"/"eth2"/'
answers 2 "limits and zones" "$tegc" diff old.teg new.teg <<'OUT'
RATE+  medium   reflex.syn_flood   10000 per 1s, burst 1000 -> 20000 per 1s, burst 2000
ZONE   medium   zone wan   eth0 -> eth2
proved: nothing else changes
0 opened (0 high), 0 closed, 1 rate, 0 effect, 0 unknown
OUT

edit 's/^    dns_in.*/&\n    ssh_any: allow tcp to self port 22/'
answers 4 "a budget that does not suffice is told" \
	"$tegc" diff --analysis-budget 10 --fail-on critical old.teg new.teg <<'OUT'
undecided: 2 of 2 windows exceeded the budget (protocol 6-6, to 0.0.0.0 and up, from 0.0.0.0 and up, 17 cells …); elsewhere nothing changes
0 opened (0 high), 0 closed, 0 rate, 0 effect, 2 unknown
OUT

"$tegc" diff --report json="$dir/d.json" "$dir/old.teg" "$dir/new.teg" >/dev/null 2>&1
answers 0 "the report for programs" python3 -c '
import json
d = json.load(open("d.json"))
c = d["diff"]["changes"][0]
print(c["kind"], c["risk"], c["packets"], c["flags"], c["cause"]["id"], c["before"], c["after"], c["exact"])
print(list(c) == sorted(c))' <<'OUT'
opened high ['tcp from any to self port 22'] ['admin-port', 'from-untrusted'] OPEN.ssh_any drop allow True
True
OUT

# --- no new access ------------------------------------------------------------------------
edit '/dns_in/d; s/> 1000 per/> 500 per/'
answers 0 "a policy that only closes admits nothing new" "$tegc" no-new-access old.teg new.teg <<'OUT'
proved: nothing is opened
0 opened (0 high), 0 other, 0 unknown
OUT
edit 's/^    dns_in.*/&\n    ssh_any: allow tcp to self port 22\n    ntp: allow udp from office to self port 123/'
answers 2 "what is opened is told, and nothing that is closed" "$tegc" no-new-access old.teg new.teg <<'OUT'
OPENED high     OPEN in   tcp from any to self port 22   drop -> allow
   because    + new.teg:19 ssh_any   was: default (old.teg:15)
   example    tcp 198.51.100.7:50000 -> self:22 syn on wan
   beside     what is decided before by owner (new.teg:7), bogons (new.teg:9)
   edge       port 23 stays drop
   flags      admin-port, from-untrusted
OPENED medium   OPEN in   udp from office to self port 123   drop -> allow
   because    + new.teg:20 ntp   was: default (old.teg:15)
   example    udp 203.0.113.9:50000 -> self:123 on wan
   edge       port 124 stays drop
proved: nothing else is opened
2 opened (1 high), 0 other, 0 unknown
OUT
cat >"$dir/permits.teg" <<'TEG'
net staff = [203.0.113.0/24, 2001:db8::/32]
posture ANY {
    default drop
    allow udp from staff to self port 123
    allow tcp from 192.0.2.0/24 to self port 22
}
TEG
answers 2 "what is permitted is not told; of the rest, all that is left" \
	"$tegc" no-new-access --allow permits.teg old.teg new.teg <<'OUT'
OPENED high     OPEN in   tcp from any except 192.0.2.0/24 to self port 22; tcp over IPv6 from any to self port 22   drop -> allow
   because    + new.teg:19 ssh_any   was: default (old.teg:15)
   example    tcp 198.51.100.7:50000 -> self:22 syn on wan
   beside     what is decided before by owner (new.teg:7), bogons (new.teg:9)
   edge       port 23 stays drop
   flags      admin-port, from-untrusted
proved: nothing else is opened
1 opened (1 high), 0 other, 0 unknown
OUT
sed -i 's/192.0.2.0.24/any/' "$dir/permits.teg"
answers 0 "what is all permitted" "$tegc" no-new-access --allow permits.teg old.teg new.teg <<'OUT'
proved: nothing is opened
0 opened (0 high), 0 other, 0 unknown
OUT
answers 4 "a budget that does not suffice is no yes" \
	"$tegc" no-new-access --analysis-budget 10 --allow permits.teg old.teg new.teg <<'OUT'
undecided: 4 of 4 windows exceeded the budget (protocol 6-6, to 0.0.0.0 and up, from 0.0.0.0 and up, 19 cells …); elsewhere nothing is opened
0 opened (0 high), 0 other, 4 unknown
OUT
edit 's/^    established cut/    established keep/'
answers 2 "established flows that are cut no more" \
	sh -c "'$tegc' no-new-access --allow permits.teg old.teg new.teg >out; code=\$?; grep -E '^OPENED.* in |established' out; exit \$code" <<'OUT'
OPENED medium   SHUT in   more than 99.9% of ip from any to any   drop -> allow
   because    + established   was: default (old.teg:11)
   example    tcp 198.51.100.7:50000 -> self:443 syn established on wan
   state      established
OPENED medium   SHUT in   more than 99.9% of ip from any to any   drop -> allow
   because    + established   was: default (old.teg:11)
   example    tcp 198.51.100.7:50000 -> 192.0.2.10:22 syn established on wan
   state      established
   because    + established   was: default (old.teg:11)
   example    tcp self:50000 -> 192.0.2.10:22 syn established on wan
   state      established
OUT
edit '/^reflex/,$d'
answers 2 "a limit that is gone" \
	sh -c "'$tegc' no-new-access --allow permits.teg old.teg new.teg >out; code=\$?; head -n 6 out; exit \$code" <<'OUT'
OPENED high     OPEN in   less than 0.1% of tcp flags syn/syn+ack from any to any on wan   drop -> allow
   because    - old.teg:21 syn_flood   now: web_in (new.teg:17), established, related
   example    tcp 198.51.100.7:50000 -> self:443 syn on wan
   the rest   is decided by owner (old.teg:7), bogons (old.teg:9)
   only       if the rate of reflex.syn_flood is exceeded
   flags      from-untrusted, rate-unbounded, opaque
OUT
edit 's/> 1000 per/> 2000 per/; s/"eth0"/["eth0", "eth9"]/; s/^posture OPEN/posture MORE extends SHUT { }\n&/'
answers 2 "by which more may pass" "$tegc" no-new-access --allow permits.teg old.teg new.teg <<'OUT'
POSTURE low      posture MORE   absent -> present, measured by OPEN
RATE+  medium   reflex.syn_flood   10000 per 1s, burst 1000 -> 20000 per 1s, burst 2000
ZONE   medium   zone wan   eth0 -> eth0, eth9
proved: nothing else is opened
0 opened (0 high), 3 other, 0 unknown
OUT
edit '/^on reflex/,$d; s/OPEN/WIDE/; /WIDE/,/^}/s/default drop/default allow/'
answers 3 "a posture of a new name that allows all is no low risk" \
	sh -c "'$tegc' diff old.teg new.teg >out; code=\$?; grep -E '^(POSTURE|OPENED)|opened \(' out; exit \$code" <<'OUT'
POSTURE critical posture WIDE   absent -> present, measured by OPEN
OPENED critical WIDE in   more than 99.9% of ip from any to any   drop -> allow
OPENED critical WIDE forward   ip from any to any   drop -> allow
POSTURE medium   posture OPEN   present -> absent
2 opened (2 high), 0 closed, 0 rate, 0 effect, 0 unknown
OUT
edit 's/OPEN/NAMED/'
answers 2 "a new name alone opens nothing" \
	sh -c "'$tegc' diff old.teg new.teg >out; code=\$?; grep -E '^(POSTURE|OPENED|CLOSED)|opened \(' out; exit \$code" <<'OUT'
POSTURE low      posture NAMED   absent -> present, measured by OPEN
POSTURE medium   posture OPEN   present -> absent
0 opened (0 high), 0 closed, 0 rate, 0 effect, 0 unknown
OUT
sed -i '1i zone wan = ["eth9", "eth0"]' "$dir/permits.teg"
edit 's/"eth0"/["eth0", "eth9"]/'
answers 0 "a zone may have the interfaces that are permitted" "$tegc" no-new-access --allow permits.teg old.teg new.teg <<'OUT'
proved: nothing is opened
0 opened (0 high), 0 other, 0 unknown
OUT

edit 's/^    web_in.*/&\n    late: drop tcp from office to self port 443\n    more: allow tcp from office to self port 80/'
answers 2 "rules that never decide" "$tegc" check new.teg <<'OUT'
error[E0312]: `late` never decides
  --> new.teg:18:5
   |
17 |     web_in: allow tcp to self port [80, 443]
   |     ---------------------------------------- `web_in` decides every packet of it first
18 |     late: drop tcp from office to self port 443
   |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   = note: `web_in` admits what this rule was to drop
   = note: for example: tcp 203.0.113.9:50000 -> self:443 syn on wan, decided by `web_in`
   = help: move it before `web_in`

warning[E0313]: `more` never decides
  --> new.teg:19:5
   |
17 |     web_in: allow tcp to self port [80, 443]
   |     ---------------------------------------- `web_in` decides every packet of it first
 ...
19 |     more: allow tcp from office to self port 80
   |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   = note: for example: tcp 203.0.113.9:50000 -> self:80 syn on wan, decided by `web_in`
   = help: it can go: nothing changes without it

1 error, 1 warning
OUT

edit 's/web_in: .*/web_in: allow tcp to self port [80, 443]\n    ssh_in: allow tcp to self port 22/; /^posture OPEN/,$s/reflex/posture TWIN extends OPEN { }\nreflex/'
answers 0 "a posture that is another, and an administrative port open to everyone" "$tegc" check new.teg <<'OUT'
warning[E0331]: in OPEN, `ssh_in` opens port 22 to everyone
  --> new.teg:18:5
   |
18 |     ssh_in: allow tcp to self port 22
   |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   = note: for example: tcp 198.51.100.7:50000 -> self:22 syn, decided by `ssh_in`
   = help: say from where: `from NET` or `on ZONE`

warning[E0321]: TWIN does to every packet what OPEN does
  --> new.teg:22:9
   |
14 | posture OPEN {
   |         ---- the other one
 ...
22 | posture TWIN extends OPEN { }
   |         ^^^^
   = note: for example: tcp 198.51.100.7:50000 -> self:443 syn, decided by `web_in` in OPEN and by `web_in` in TWIN

2 warnings
OUT

# One edited rule meets other rules in each posture, so each is told for itself.
sed 's/^ *web_in:.*/    web_in: allow tcp to self/' policies/examples/edge.teg >"$dir/wide.teg"
answers 0 "what an edit opens is told for each posture in which it differs" \
	sh -c "'$tegc' diff '$PWD/policies/examples/edge.teg' wide.teg | grep ^OPENED" <<'OUT'
OPENED high     HARDENED in   97.6% of tcp from any to self   drop -> allow
OPENED high     BALANCED in   64.2% of tcp from any to self   drop -> allow
OPENED high     EXPLORE in   less than 0.1% of tcp from any to self   reject -> allow
OUT

# What changes anyhow, and what changes only while a rate is exceeded, are two lines.
printf 'zone wan = "eth0"\nlifeline { owner: tcp from 203.0.113.0/24 to self port 22 }\nposture A {\n    default drop\n    web: allow tcp to self port 80 limit 10/s\n}\n' >"$dir/calm.teg"
sed 's/port 22 }/port [22, 80, 8443] }/' "$dir/calm.teg" >"$dir/calmer.teg"
answers 0 "what a wider lifeline opens, and what it spares a limit" \
	sh -c "'$tegc' diff calm.teg calmer.teg | grep -A4 ' A in '" <<'OUT'
OPENED high     A in   tcp from 203.0.113.0/24 to self port 80   drop -> allow
   because    ~ calmer.teg:2 owner   was: web.limit (calm.teg:5), blocked
   example    tcp 203.0.113.9:50000 -> self:80 syn on wan
   edge       port 81 stays drop
   only       if the rate of web.limit is exceeded
--
OPENED medium   A in   tcp from 203.0.113.0/24 to self port 8443   drop -> allow
   because    ~ calmer.teg:2 owner   was: default (calm.teg:4), blocked, invalid
   example    tcp 203.0.113.9:50000 -> self:8443 syn on wan
   edge       port 8444 stays drop
proved: nothing else changes
OUT

# A wider rule that loses its limit: what it opens by its ports must not hide that.
limited='zone wan = "eth0"
posture OPEN {
    default drop
    web: allow tcp to self port '
echo "${limited}443 limit 5/s per source
}" >"$dir/limited.teg"
echo "${limited}[443, 8443]
}" >"$dir/unlimited.teg"
answers 0 "a limit that goes is told beside what the rule opens" \
	sh -c "'$tegc' diff limited.teg unlimited.teg | grep RATE; '$tegc' diff unlimited.teg limited.teg | grep RATE" <<'OUT'
RATE+  high     OPEN.web.limit   5 per 1s, burst 5 -> no limit
RATE-  low      OPEN.web.limit   no limit -> 5 per 1s, burst 5
OUT

# More than sixty lines are cut, unless all are asked for.
{ echo "$limited"'443'; seq -f '    allow udp from 192.0.2.%.0f to self port 53' 1 2 160; echo '}'; } >"$dir/many.teg"
{ echo "$limited"'443'; echo '}'; } >"$dir/few.teg"
answers 0 "a diff is cut behind sixty lines" \
	sh -c "'$tegc' diff --fail-on critical few.teg many.teg | grep -c '^OPENED'; '$tegc' diff few.teg many.teg | grep '^and'" <<'OUT'
15
and 65 more, --all shows them
OUT
answers 0 "and whole with --all" \
	sh -c "'$tegc' diff --all few.teg many.teg | grep -c '^OPENED'; '$tegc' diff --all few.teg many.teg | grep -c '^and' | sed 's/^0/nothing is left/'" <<'OUT'
80
nothing is left
OUT
# Boxes are weighed by what they have of all packets: one with ports has no later fragments.
cat >"$dir/boxes.teg" <<'TEG'
service ten = protocol/[101..110]
posture WEB {
    default drop
    most: allow ten from 192.0.2.0/24 to self
    all:  drop ten + tcp/1..65535 from 192.0.2.0/24 to self
}
initial posture WEB
TEG
answers 0 "of a rule of unlike boxes the share is told by their weights" \
	sh -c "'$tegc' check boxes.teg 2>&1 | head -1" <<'OUT'
warning[E0314]: `all` decides little: 93.8% of its packets are decided otherwise before
OUT
echo "1..$n"
