#!/bin/bash
# What a change loses beside verdicts: logs, events, steps, what looked into payloads, and owners.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/prompt.bash || exit 1
cd "$dir" || exit 1

cat >old.teg <<'END'
policy edge { version "1" owner "net@example.org" }
zone wan = "eth0"
net office = 203.0.113.0/24
lifeline { owner: tcp from office to self port 22 }
reflex union { match tcp to self port 80 payload /union\s+select/i within 512 do drop, emit high }
reflex probe { match tcp to self port 23 do emit medium }
reflex flood { match tcp flags syn/syn+ack to self port 80 when rate > 100/s do drop }
posture SHUT {
    default drop
    web: allow tcp to self port 80 log "web" emit low
}
posture OPEN extends SHUT {
    dns: allow udp to self port 53
}
initial posture SHUT
playbook heal(src: address) {
    budget blocks 5 per 1h, runtime 10m
    phase first { block src for 1h }
    phase second { notify audit { event: "healed" } }
}
on reflex.union run heal(event.source)
END

# changed CODE LINES CLAIM SED: what diff tells once the policy is edited so
changed() {
	sed -E "$4" old.teg >new.teg
	! cmp -s old.teg new.teg || echo "nothing was edited: $4" >new.teg
	tells "$1" "$2" "$3" "$tegc" diff --report json=out.json old.teg new.teg
}

lost='   flags      effect-lost'
changed 2 "EFFECT medium   web of SHUT, OPEN   log \"web\", emit low -> emit low
$lost" "a log is gone, told once for all postures" 's/ log "web"//'
jq -e '.diff.facts[0].flags == ["effect-lost"]' out.json >/dev/null
ok "the flag is in the report for programs"
changed 2 "web of SHUT, OPEN   log \"web\", emit low -> log \"web\"
$lost" "an event is gone" 's/ emit low//'
changed 2 "emit low -> log \"web\", emit low, 1 in 10
$lost" "an event is told more rarely" 's/emit low/emit low sample 1\/10/'
changed 2 "EFFECT low      web of SHUT, OPEN   log \"web\", emit low -> log \"web\", emit critical
!effect-lost" "an event that weighs more is no loss" 's/emit low/emit critical/'
changed 2 "EFFECT low      dns of OPEN   nothing -> log \"dns\"
!effect-lost" "a log that comes is no loss" 's/port 53/port 53 log "dns"/'
changed 0 "!effect-lost" "a rule of another name tells the same" 's/web:/http:/'
changed 2 "EFFECT medium   reflex.probe   emit medium -> gone
$lost" "a reflex that only tells is gone" '/^reflex probe/d'
changed 2 "EFFECT low      reflex.probe   tells of its packets -> of others" "it tells of other packets" 's/port 23 do/port 24 do/'
changed 2 "EFFECT medium   reflex.flood   drop -> cookies
$lost" "who answers a cookie gets in over the rate" 's/100\/s do drop/100\/s do cookies/'
changed 2 "PLAYBOOK medium   playbook heal   notify -> gone
$lost" "a playbook loses a step" '/phase second/d'
changed 2 "RESPONSE medium
$lost" "what ran a playbook is gone" '/^on reflex/d'
unseen='   flags      signature-bypassed'
changed 3 "UNSEEN high     reflex.union in SHUT   looks into it -> admitted unseen by web
   example    tcp 198.51.100.7:50000 -> self:80 syn on wan
$unseen" "the reflex is gone" '/^reflex union/d; /^on reflex/d'
tells 3 '| UNSEEN | high | reflex.union in SHUT | looks into it | admitted unseen by web, for example tcp 198.51.100.7:50000 -\> self:80 syn on wan | signature-bypassed |' \
	"and in a table, with its packet" "$tegc" diff --markdown old.teg new.teg
changed 3 "UNSEEN high     reflex.union in OPEN   looks into it -> admitted unseen by web
!reflex.union in SHUT   looks
$unseen" "it is silent in a posture" 's/do drop, emit high/do drop, emit high except in OPEN/'
changed 3 "admitted unseen by owner
$unseen" "a lifeline admits it before" 's/self port 22 \}/self port [22, 80] }/'
changed 3 "UNSEEN" "it looks on less than before" 's/match tcp to self port 80 payload/match tcp from office to self port 80 payload/'
changed 3 "!admitted unseen by web
admitted unseen by established" "new flows are dropped, but those that exist go on" 's/^    web: .*//; /^reflex union/s/ to self port 80/ from 192.0.2.0\/24 to self port 80/'
changed 2 "!UNSEEN" "what the reflex sees may be opened" 's/^    dns.*/    more: allow tcp from office to self port 80..90/; s/port 80 payload/port 80..90 payload/'
changed 2 "OWNER  low      owner of the policy   net@example.org -> nobody
   flags      no-owner" "the policy has no owner any more" 's/ owner "net@example.org"//'
changed 2 "OWNER  low      allowance of E0331   absent -> \"a lab\", without an owner
   flags      no-owner" "a new allowance names no owner" 's/^    web:/    # tegc: allow E0331 "a lab"\n    web:/'
changed 0 "!no-owner" "one that does is none" 's/^    web:/    # tegc: allow E0331 "a lab" owner "me"\n    web:/'
sed -i 's/ owner "net@example.org"//' old.teg
changed 0 "!no-owner" "nor where nothing has an owner" 's/^    web:/    # tegc: allow E0331 "a lab"\n    web:/'
"$tegc" diff --fail-on low old.teg new.teg >/dev/null
ok "and so no level is reached"
echo "1..$n"
