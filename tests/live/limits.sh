#!/bin/bash
# The limit of a rule admits so many new flows a source, leaves admitted flows alone, keeps its buckets over a rollout, and begins anew when it changes.
. tests/lib/live.bash

# from ADDRESS PORT: "open" or "shut"
from() { outside timeout "$TEST_PATIENCE" nc -z -s "$1" 10.9.0.1 "$2" >/dev/null 2>&1 && echo open || echo shut; }
again() { outside nstat -asz TcpExtTCPSynRetrans | awk '$1 == "TcpExtTCPSynRetrans" { print $2 }'; } # what clients asked more than once: after a second
web='web: allow tcp to self port [80, 81]'

servers 80 81
bundle $lab/one.tegb "s/web: .*/$web limit 3 per 1h per source/"
bundle $lab/two.tegb "s/version \"1\"/version \"2\"/; s/web: .*/$web limit 3 per 1h per source/"
bundle $lab/three.tegb "s/web: .*/$web limit 4 per 1h/"
ok "tegd starts" tegd_start --engine "${ENGINE:-native}" --bundle $lab/one.tegb
outside bash -c 'exec 3<>/dev/tcp/10.9.0.1/80; echo held >&2; sleep 600; echo late >&3' 2>$lab/held &
# The server has one flow at a time: 80 is taken now.
until grep -q held $lab/held; do sleep 0.02; done
is "$(from 10.9.0.2 81) $(from 10.9.0.2 81)" "open open" "three of three"
is "$(from 10.9.0.2 80) $(from 10.9.0.2 81)" "shut shut" "the fourth and fifth are over"
is "$(from 10.9.0.3 81)" open "another source has its own bucket"
is "$(outside timeout "$TEST_PATIENCE" nc -6 -z fd00:9::1 81 && echo open)" open "and so has IPv6"
is "$(($(counter BALANCED.web.limit) - $(again)))" 2 "what was over is counted as the limit's"
is "$(counter BALANCED.web)" 5 "what was within as the rule's"
is "$(ss -Htn state established '( sport = :80 )' | wc -l)" 1 "the flow that was admitted stands"
ctl apply $lab/two.tegb >/dev/null
is "$(from 10.9.0.2 81) $(from 10.9.0.3 81)" "shut open" "a rollout keeps the buckets"
ctl apply $lab/three.tegb >/dev/null
is "$(for i in 1 2 3 4 5; do from 10.9.0.$((2 + i % 2)) 81; done | xargs)" "open open open open shut" "one bucket for all, when the policy says so"
# --- a flow that this host does not answer is new with each packet
bundle $lab/oneway.tegb "s/web: .*/web: allow udp to self port 514 limit 3 per 1h per source\n    heard: allow udp to self port 515/"
ok "a policy for datagrams" ctl apply $lab/oneway.tegb
datagrams() { outside python3 -c '
import socket
for port in 514, 515:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(10): s.sendto(b"x", ("10.9.0.1", port))'; }
nc -4 -lu 514 >/dev/null &
nc -4 -lu 515 >/dev/null &
until [ "$(ss -Hlun 'sport = 514 or sport = 515' | wc -l)" = 2 ]; do sleep 0.02; done
before=$(counter BALANCED.web.limit)
heard() { echo "$(($(counter BALANCED.web.limit) - before)) $(counter BALANCED.heard)"; }
datagrams
ok "each packet of a flow without an answer takes a token, and is counted as a new one" soon "7 10" heard
bundle $lab/four.tegb "s/web: .*/$web limit 3 per 1h per source shared/"
holds "$(ctl apply $lab/four.tegb 2>&1)" "this enforcer cannot run buckets shared by the fleet (BALANCED.web.limit)" "what the enforcer cannot do it refuses, and says so"
is "$(status .generation)" 4 "and the policy in force stays"
done_testing
