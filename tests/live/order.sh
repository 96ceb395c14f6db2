#!/bin/bash
# Which posture is no wider than which: told by the API, and what may be switched to while a generation waits.
. tests/lib/live.bash

ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
policy() { # policy OUT VERSION ORDER...
	cat > $lab/order.teg <<-END
		policy edge "Postures in an order" { version "$2" }
		zone wan = "w0"
		lifeline { ssh: tcp from 10.9.0.2 to self port 22 }
		posture SHUT "Owner only" {
		    default drop
		    established cut
		}
		posture HARDENED "The web" {
		    default drop
		    web: allow tcp to self port 80
		}
		posture STRICT "Less, as nobody claims" {
		    default drop
		    web: allow tcp to self port 80
		}
		posture BALANCED extends HARDENED {
		    more: allow tcp to self port 443
		}
		posture EXPLORE "Everything" { default allow }
		initial posture BALANCED
		${*:3}
	END
	"$BUILD/tegc" build $lab/order.teg -o "$1" || { echo "Bail out! tegc cannot build it"; exit 1; }
}
policy $lab/one.tegb 1 "order HARDENED <= BALANCED <= EXPLORE"
policy $lab/two.tegb 2 "order HARDENED <= BALANCED <= EXPLORE"
policy $lab/none.tegb 3
sources="[.postures[] | .name + \":\" + (.no_wider_than | join(\",\"))] | join(\" \")"
ok "tegd starts" tegd_start --engine "${ENGINE:-native}" --bundle $lab/one.tegb

# --- told
want="SHUT:HARDENED,STRICT,BALANCED,EXPLORE HARDENED:BALANCED,EXPLORE STRICT: BALANCED:EXPLORE EXPLORE:"
is "$(status "$sources")" "$want" "the status has the order: what was claimed and proved, what follows, and what is closed"
get() { curl -s --unix-socket $lab/run/api.sock http://t/api/tegumentar/posture; }
is "$(get | jq -r "$sources")" "$want" "so has the list of postures"
is "$(get | jq -c '[.generation, .posture, [.postures[] | select(.closed).name]]')" '[1,"BALANCED",["SHUT"]]' "with what is active, and what is closed"
is "$(curl -sI --unix-socket $lab/run/api.sock http://t/api/tegumentar/posture | sed -n 's/^ETag: \(.*\)\r/\1/Ip')" "\"$(status .tag)\"" "and the ETag of the generation"
holds "$(ctl posture)" "HARDENED          The web; no wider than BALANCED, EXPLORE" "a person sees it too"
is "$(ctl posture --json | jq -r .posture)" BALANCED "and a program"

# --- while a generation waits
pending() { ctl apply "$1" --confirm 60s >/dev/null; }
state() { status '.generation, .posture, .posture_next' | xargs; }
ok "a generation that waits" pending $lab/two.tegb
ok "a wider posture does not come: 75" ends 75 ctl posture EXPLORE
holds "$(cat $lab/said)" "EXPLORE is not known to be no wider than BALANCED" "and it is said why"
ok "nor one that nobody claimed to be tighter: 75" ends 75 ctl posture STRICT
ok "nor one that is not there: 75" ends 75 ctl posture NOWHERE
ok "the same one may be asked for, with a reason" ends 0 ctl posture BALANCED --reason "looking"
ok "a tighter one comes" ends 0 ctl posture HARDENED --reason scans
is "$(state)" "2 HARDENED" "and is in force"
ok "but not back: 75" ends 75 ctl posture BALANCED
ok "the generation goes" ctl cancel
is "$(state)" "3 HARDENED" "and the posture stays, since what was before knows the same order"
is "$(status .posture_reason)" scans "with its reason"

ctl posture BALANCED >/dev/null
pending $lab/two.tegb
ok "a tighter one for a time" ctl posture HARDENED --for 5m
ctl cancel >/dev/null
is "$(state)" "5 HARDENED BALANCED" "stays for that time"

ctl posture BALANCED >/dev/null
ctl posture EXPLORE --for 5m >/dev/null
pending $lab/two.tegb
is "$(state)" "6 EXPLORE BALANCED" "a posture that goes back to a tighter one"
ok "may not be made to stay: 75" ends 75 ctl posture EXPLORE
ok "nor longer: 75" ends 75 ctl posture EXPLORE --for 1h
ok "the tighter one may come at once" ends 0 ctl posture BALANCED
ctl cancel >/dev/null
is "$(state)" "7 BALANCED" "and stays"

# --- what was before knows no order
ctl apply $lab/none.tegb >/dev/null
is "$(status "$sources")" "SHUT:HARDENED,STRICT,BALANCED,EXPLORE HARDENED: STRICT: BALANCED: EXPLORE:" "a policy without an order knows of none, but for what is closed"
pending $lab/two.tegb
ok "the new one does" ends 0 ctl posture HARDENED
ctl cancel >/dev/null
is "$(state)" "10 BALANCED" "the posture goes with it: that it is no wider there, nobody knows"
pending $lab/two.tegb
ok "a closed one" ctl posture SHUT
ctl cancel >/dev/null
is "$(state)" "12 SHUT" "stays"

# --- a crash
ctl posture BALANCED >/dev/null
ctl apply $lab/one.tegb >/dev/null
pending $lab/two.tegb
ctl posture HARDENED >/dev/null
tegd_end KILL
ok "tegd starts again" tegd_start --engine "${ENGINE:-native}"
is "$(state)" "14 HARDENED" "it waits still"
ok "what is wider waits too: 75" ends 75 ctl posture BALANCED
ctl cancel >/dev/null
is "$(state)" "15 HARDENED" "and the posture stays"
done_testing
