#!/bin/bash
# What is open to a proof has a name that both policies know: a rate, a pattern, a feed, a rule on sessions. What they mean by it may
# differ, and then a change of a policy is no "nothing is opened". Nor is one by which a source is blocked no more.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/prompt.bash || exit 1
cd "$dir" || exit 1

cat >old.teg <<'END'
zone wan = "eth0"
net office = 203.0.113.0/24
limit flows = 10/s per source
limit packets = 10/s per source
feed bad {
    url     "https://example.org/bad.txt"
    format  netset
    refresh 15m
    max     200k
    stale   after 6h keep
    action  block
}
reflex look { match tcp to self port 81 on wan payload /evil/ within 100 do drop }
reflex scan { match tcp flags syn/syn to self port 20..30 on wan do drop source for 60s }
reflex many { match udp to self on wan when exceeds packets do drop }
reflex slow { match icmp on wan when rate per source/24 > 100/s do drop }
posture OPEN {
    default drop
    web: allow tcp to self port 80 limit 10/s per source
    api: allow tcp to self port 8080 limit flows
}
derme { loud: when session.syn_count > 10 and not from office do drop }
initial posture OPEN
END

# more WORDS CLAIM SED [CODE]: what may let more by once the policy is edited so; the diff ends with CODE, or 2
more() {
	sed -E "$3" old.teg >new.teg
	! cmp -s old.teg new.teg || echo "nothing was edited: $3" >new.teg
	tells 2 "$1
!OPENED" "$2" "$tegc" no-new-access old.teg new.teg
	tells ${4-2} "$1" "$2: the diff says it too" "$tegc" diff old.teg new.teg
}

# no_more CODE WORDS CLAIM SED: what lets no more by; the diff ends with CODE
no_more() {
	sed -E "$4" old.teg >new.teg
	! cmp -s old.teg new.teg || echo "nothing was edited: $4" >new.teg
	tells 0 "proved: nothing is opened" "$3" "$tegc" no-new-access old.teg new.teg
	tells "$1" "$2" "$3: what the diff says" "$tegc" diff old.teg new.teg
}

more "PATTERN medium   reflex.look   /evil/ within 100 -> /good/ within 100" "another pattern" 's/evil/good/'
more "/evil/ within 100 -> /evil/ within 99" "fewer bytes are looked at" 's/within 100/within 99/'
more "/evil/ within 100 -> /evil/i within 100" "a flag of the expression" 's/evil\//&i/'
more "RATE+  medium   reflex.look   no rate -> 5 per 1s, burst 5
PATTERN medium   reflex.look   /evil/ within 100 -> no pattern" "a rate in the place of a pattern" \
	's/ payload .evil. within 100 do/ when rate per source > 5\/s do/' 3
more "RATE+  medium   OPEN.web.limit   10 per 1s, burst 10 per source/32/64 -> 10 per 1s, burst 10 per destination/32/64" "buckets count for others" \
	's/port 80 limit 10\/s per source/port 80 limit 10\/s per destination/'
more "RATE+  medium   reflex.slow   100 per 1s, burst 100 per source/24/64 -> 100 per 1s, burst 100 per source/25/64" "fewer share a bucket" 's/source.24/source\/25/'
more "RATE+  medium   OPEN.web.limit   10 per 1s, burst 10 -> 9 per 1s, burst 1000" "a lower rate, of which more may come at once" \
	's/port 80 limit 10\/s per source/port 80 limit 9\/s per source burst 1000/'
more "RATE+  medium   OPEN.http.limit   10 per 1s, burst 10 -> 99 per 1s, burst 99
!http2" "a limit of a name rises, and who asks it has another" 's/flows = 10/flows = 99/; s/api:/http:/'
more "RATE+  medium   reflex.most   10 per 1s, burst 10 -> 99 per 1s, burst 99" "so does a reflex" 's/packets = 10/packets = 99/; s/reflex many/reflex most/'
more "RATE+  medium   reflex.more   10 per 1s, burst 10 -> 99 per 1s, burst 99
RATE+  medium   reflex.many   10 per 1s, burst 10 -> 99 per 1s, burst 99" "one that comes asks it too" \
	's/packets = 10/packets = 99/; s/^reflex many.*/&\nreflex more { match udp to self on wan when exceeds packets do drop }/'
more "FEED   medium   feed bad" "another list" 's/bad.txt/good.txt/'
more "at most 200000, stale after 21600s: keep -> netset, https://example.org/bad.txt, at most 100" "a list that may not be so long" 's/200k/100/'
more "SESSION medium   derme.loud   session.syn_count > 10  from [203.0.113.0/24]  NOT  AND => drop -> session.syn_count > 11" "a session of more packets" 's/syn_count > 10/syn_count > 11/'
more "SESSION medium   derme.loud" "whom a rule on sessions leaves out" 's/^net office.*/net office = 203.0.112.0\/23/'
more "EFFECT low      reflex.scan   60s -> 1s" "a shorter block" 's/for 60s/for 1s/'
more "EFFECT medium   reflex.scan in OPEN   blocks the source for 60s -> drop by sweep
   example    tcp 198.51.100.7:50000 -> self:22 syn on wan" "a reflex of another name only drops" \
	's/reflex scan/reflex sweep/; s/drop source for 60s/drop/'
more "blocks the source for 60s -> drop by first" "one before it only drops" 's/^reflex look/reflex first { match tcp to self port 25 on wan do drop }\n&/'

no_more 2 "EFFECT low      reflex.scan   60s -> 70s" "a longer block" 's/for 60s/for 70s/'
no_more 0 "2 rules renamed" "a reflex of another name blocks as well" 's/reflex scan/reflex sweep/'
no_more 2 "CLOSED" "it blocks more" 's/20..30/20..31/'
no_more 2 "RATE-  low      reflex.slow   100 per 1s, burst 100 per source/24/64 -> 100 per 1s, burst 100 per source/16/64" "more share a bucket" 's/source.24/source\/16/'
no_more 2 "RATE-  low      OPEN.web.limit   10 per 1s, burst 10 per source/32/64 -> 10 per 1s, burst 10 for all" "all share a bucket" \
	's/port 80 limit 10\/s per source/port 80 limit 10\/s/'
no_more 2 "FEED   low" "a list that may be longer" 's/200k/300k/'
no_more 2 "SESSION low      derme.busy   absent" "a rule on sessions that takes nothing away" 's/^derme \{/&\n    busy: when session.count > 9 do emit low\n   /'
no_more 2 "SESSION low      derme.loud   session.syn_count > 10  from [203.0.113.0/24]  NOT  AND => drop -> " "and one that tells" '/^derme/s/do drop/do drop, emit low/'

# A packet that is admitted now is told as opened, and not once more as one whose source is not blocked.
sed -E 's/20..30/80/; s/port 80 limit 10.*/port 80/; /^derme/d' old.teg >shut.teg
sed '/^reflex scan/d' shut.teg >open.teg
tells 3 "OPENED
!blocks the source" "a blocking reflex goes whose packets are admitted" "$tegc" diff shut.teg open.teg

# Two postures whose limits differ are not one.
printf 'zone wan = "eth0"\nposture A {\n    default drop\n    web: allow tcp to self port 80 limit 10/s per source\n}\n' >two.teg
sed 's/^posture A/posture B/; 1d' two.teg >more.teg
cat more.teg >>two.teg
echo 'initial posture A' >>two.teg
tells 0 "E0321" "two postures of equal limits are alike" "$tegc" check two.teg
sed -i '0,/10.s/s//11\/s/' two.teg
tells 0 "!E0321" "not where a limit of one is higher" "$tegc" check two.teg
sed -i 's/11.s per source/10\/s per destination/' two.teg
tells 0 "!E0321" "nor where it counts for others" "$tegc" check two.teg

# What is in a packet, or on a feed, is so for both postures of an order.
sed -E 's/^posture OPEN/posture WIDE {\n    default allow\n}\n&/; s/^initial.*/&\norder OPEN <= WIDE/; /^derme/d; s/ limit (flows|10.*)$//; /exceeds|rate/d' old.teg >order.teg
tells 0 "!E0412" "an order asks one packet of both" "$tegc" check order.teg
# Each reflex that has a packet takes a token of the limit that they share: who asks behind another may fire where that one did not.
cat >old.teg <<'END'
zone wan = "eth0"
limit calm = 2 per 10s per source
reflex a { match udp on wan when exceeds calm do drop }
reflex b { match udp to self port 53 on wan when exceeds calm do drop }
posture OPEN { default allow }
test "the second token is taken by b, and then none is left for it" {
    posture OPEN
    udp 192.0.2.1:5 -> self:99 on wan => allow
    udp 192.0.2.1:5 -> self:53 on wan => drop by b
}
END
tells 0 "1 passed" "the second of two that share a limit fires" "$tegc" test old.teg
tells 0 "!E0313" "and is not said never to decide" "$tegc" check old.teg
sed -i '/^test/,$d' old.teg
opens() {
	sed -E "$2" old.teg >new.teg
	tells 2 "OPENED
limit.calm behind 1 other is exceeded" "$1" "$tegc" no-new-access old.teg new.teg
}
opens "without the second more passes" '/^reflex b/d'
opens "so it does without the first, of what both ask for" '/^reflex a/d'
sed -i 's/^reflex a.*/reflex a { match udp on wan when exceeds calm do emit low }/' old.teg
opens "one that only tells takes a token too" '/^reflex a/d'
no_more 0 "proved: nothing changes" "another name changes nothing" 's/^reflex b/reflex z/'
sed -i 's/do emit low/do drop/; s/calm = 2/calm = 1/' old.teg
sed -E '/^reflex a/{h;d}; /^reflex b/{G}' old.teg >new.teg
tells 0 "proved: nothing changes" "who asks first does not matter to what passes" "$tegc" diff old.teg new.teg
sed '/^reflex b/d' old.teg >new.teg
tells 2 "OPENED
!is exceeded" "behind as many as the bucket holds one is always over" "$tegc" no-new-access old.teg new.teg
# The proof of a bundle knows each of them by its name, however the tables say its packets.
cat >bundle.teg <<'END'
policy bundled "Bundled" { version "1" owner "x" }
zone wan = "eth0"
zone lan = "eth1"
limit calm = 2 per 10s per source
reflex r0 { match tcp flags syn/syn on wan when exceeds calm do drop source for 60s }
reflex r1 { match tcp to self port [80, 443, 8080] on [wan, lan] when exceeds calm do drop, emit low except in QUIET }
reflex r2 { match tcp on lan when exceeds calm do drop, emit low }
reflex r3 { match udp to self port 50..60 on wan payload /evil/ within 9 when exceeds calm do emit low }
posture OPEN { default allow }
posture QUIET { default drop }
initial posture OPEN
END
tells 0 "!do not do what the policy says" "a bundle of reflexes that share a limit is proved" "$tegc" build bundle.teg -o bundle.tegb

# A reflex that is silent in all postures is in no list of a posture.
cat >silent.teg <<'END'
zone wan = "eth0"
reflex a { match udp on wan do drop except in OPEN }
reflex w { match tcp on wan do emit low except in OPEN }
posture OPEN { default allow }
END
tells 0 "E0311
\`a\` never fires
\`w\` never fires
silent in the only posture" "a reflex that no posture has" "$tegc" check silent.teg
sed -i 's/^posture OPEN.*/&\nposture LESS { default drop }\ninitial posture OPEN/; s/reflex w.*do emit low except in OPEN/& , LESS/' silent.teg
tells 0 "!\`a\` never fires
\`w\` never fires
silent in every posture" "a posture is left to one" "$tegc" check silent.teg
echo "1..$n"
