#!/bin/bash
# tegd is killed at many moments of a rollout and of a posture change: after each, one whole generation
# judges, and the next start says which and puts all in order.
. tests/lib/live.bash
servers 80 8080 22
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/; s/port 80$/port [80, 8080]/'

# judged: which generation the outside sees. The services of 80 and 22 are open under both.
judged() {
	reaches 80 >$lab/j1 & reaches 8080 >$lab/j2 & reaches 22 >$lab/j3 & pings 10.9.0.1 -I 203.0.113.5 >$lab/j4 &
	local all; all=$(jobs -p | tail -4)
	wait $all
	echo $(cat $lab/j[1234])
}
whole="open shut open silent|open open open silent"

tegd_start --engine "${ENGINE:-native}" --audit-bytes 4096 --bundle $lab/one.tegb
# Moments from before the switch until after it, on a machine as fast as this one is now.
began=$(date +%s%3N)
ctl apply $lab/two.tegb >/dev/null && ctl apply $lab/one.tegb >/dev/null
longest=$(($(date +%s%3N) - began + 15))
bad=0 adopted=0 restored=0 back=0 forward=0
for step in $(seq 0 15); do
	delay=$((longest * step / 15))
	generation=$(status .generation)
	case $(status .policy.version) in 1) next=two ;; *) next=one ;; esac
	ctl apply $lab/$next.tegb >/dev/null 2>&1 &
	sleep "$(printf 0.%03d "$delay")"
	tegd_end KILL
	wait $! 2>/dev/null
	seen=$(judged)
	tegd_start --engine "${ENGINE:-native}" --audit-bytes 4096 || break
	ctl audit verify >$lab/verified 2>&1 || { echo "# after $delay ms: $(cat $lab/verified)"; bad=$((bad + 1)); }
	[ "$(status .intact)" = true ] || { echo "# after $delay ms: $(status .fault)"; bad=$((bad + 1)); }
	case "|$whole|" in *"|$seen|"*) ;; *) echo "# after $delay ms: $seen"; bad=$((bad + 1)) ;; esac
	case $(status .policy.version) in 1) want="open shut open silent" ;; *) want="open open open silent" ;; esac
	[ "$(judged)" = "$want" ] || { echo "# after $delay ms and a start: $(judged), not $want"; bad=$((bad + 1)); }
	case $(status .adopted) in adopted) adopted=$((adopted + 1)) ;; *) restored=$((restored + 1)) ;; esac
	if [ "$(status .generation)" = "$generation" ]; then back=$((back + 1)); else forward=$((forward + 1)); fi
done
is $bad 0 "killed within a rollout, a whole generation judges, before and after the next start"
echo "# $adopted adopted, $restored restored; $back stayed, $forward went on"
ok "some were killed before the switch and some after" [ $back -gt 0 -a $forward -gt 0 ]

bad=0 changed=0
for delay in 0 1 2 3 5 8 12 18 25; do
	posture=$(status .posture)
	case $posture in BALANCED) next=EXPLORE ;; *) next=BALANCED ;; esac
	ctl posture $next >/dev/null 2>&1 &
	sleep "0.0$(printf %02d $delay)"
	tegd_end KILL
	wait $! 2>/dev/null
	tegd_start --engine "${ENGINE:-native}" --audit-bytes 4096 || break
	[ "$(status '.intact, .adopted' | xargs)" = "true adopted" ] || { echo "# $delay ms: $(status .fault)"; bad=$((bad + 1)); }
	[ "$(status .posture)" = "$posture" ] || changed=$((changed + 1))
	case $(status .posture) in EXPLORE) want=open ;; *) want=$(case $(status .policy.version) in 1) echo shut ;; *) echo open ;; esac) ;; esac
	[ "$(reaches 8080)" = "$want" ] || { echo "# $delay ms: $(status .posture) but 8080 $(reaches 8080)"; bad=$((bad + 1)); }
done
is $bad 0 "killed within a change of posture, the next start adopts one posture, whole"
echo "# $changed of 9 had changed"
is "$(nft list chains | grep -c '\.next')" 0 "no bridge is left standing"
ok "the audit log went on in several files" [ $(ls $lab/state/audit.log.[0-9]* | wc -l) -ge 2 ]
ok "and is whole" ctl audit verify

for bank in one "the other"; do # a rollout takes the bank that is not in use
	seen=$(judged)
	tegd_end KILL
	rm $lab/state/state
	ok "$bank bank: tegd starts where somebody has removed the journal" tegd_start --engine "${ENGINE:-native}"
	is "$(judged)" "$seen" "$bank bank: what is in force goes on"
	is "$(status '.intact, .generation' | xargs)" "false 0" "$bank bank: and is not taken for nothing"
	holds "$(status .fault)" "the kernel has a policy of ours, which goes on until a bundle is applied: $lab/state/state, which says what it is, is gone" "$bank bank: why is said"
	ok "$bank bank: a bundle is applied" ctl apply $lab/one.tegb
	is "$(status '.intact, .fault, .policy.version' | xargs), $(judged)" "true 1, open shut open silent" "$bank bank: in place of it"
done
done_testing
