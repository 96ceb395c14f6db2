#!/bin/bash
# Wrong turns at the prompt: what is said names what is wrong and what to do about it, and the exit code is that of `tegctl help exit-codes`.
. tests/lib/live.bash
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/'

# turn CODE PART TRY CLAIM COMMAND...: ends with CODE, says PART, and TRY as the way out
turn() {
	local code=0 text

	text=$("${@:5}" 2>&1 >/dev/null) || code=$?
	ok "$4: $1" same $code "$1"
	ok "- says what is wrong" has "${text%%$'\n'*}" "$2"
	ok "- and a way out" has "${text#*$'\n'}" "$3"
}
tegctl="$BUILD/tegctl --socket $lab/run/api.sock"

# --- the command line
turn 64 'there is no command `stauts`; did you mean `status`?' 'tegctl help' "a command with changed letters" $tegctl stauts
turn 64 'there is no command `frobnicate`' 'tegctl help' "one like no other" $tegctl frobnicate
turn 64 '`status` takes no --reason, which is for posture block unblock' 'tegctl help' "another command's option" $tegctl status --reason x
turn 64 'there is no option --jsn; did you mean --json?' 'tegctl help' "an option that is misspelt" $tegctl --jsn status
turn 64 'there is no option -1' 'tegctl help' "an option of one letter" $tegctl rollback -12
turn 64 '--json takes no value' 'tegctl help' "a value for a flag" $tegctl --json=x status
turn 64 '--reason wants a value' 'tegctl help' "an option without its value" $tegctl block 192.0.2.1 --reason
turn 64 'it is `tegctl status`' 'tegctl help status' "a word too many" $tegctl status extra
turn 64 'there is no command `foo`' 'tegctl help' "help on nothing" $tegctl help foo
holds "$($tegctl help block)" "--from FILE           sources from a file" "help on one command has its options"
is "$($tegctl block --help)" "$($tegctl help block)" "as --help has"
turn 74 'cannot write the answer' '' "an answer that cannot be written" sh -c "$tegctl --version >/dev/full"
turn 64 'it is `tegctl apply FILE`' 'tegctl help' "no argument" $tegctl apply
turn 64 'which command?' 'tegctl help' "no command" $tegctl
# What is wider than its column has its words on the next line.
crooked=$($tegctl help | sed 's/…/./g' | awk '
	/^                        / { wide = ""; next }
	wide != "" { print wide }
	{ wide = /^  [a-z-]/ && length($0) > 24 && substr($0, 24, 1) != " " ? $0 : "" }
	END { if (wide != "") print wide }')
is "$crooked" "" "the columns of the help stand below each other"

# --- nobody there
turn 69 "cannot reach tegd at $lab/run/api.sock: No such file" 'start tegd, or name its socket' "no tegd" $tegctl status
turn 69 'http://127.0.0.1:8765: Connection refused' 'the setting `listen`' "no tegd on a port" "$BUILD/tegctl" --url http://127.0.0.1:8765 status
turn 69 'cannot reach tegd at http://127.0.0.1:8765' 'the setting `listen`' "a change that was never sent is not called unknown" \
	"$BUILD/tegctl" --url http://127.0.0.1:8765 posture LOCKDOWN
turn 64 '--url takes https' 'https://HOST:PORT' "http to another host" "$BUILD/tegctl" --url http://192.0.2.1 status
turn 66 'cannot open the token file /nowhere' 'one line' "no token file" "$BUILD/tegctl" --url http://127.0.0.1:8765 --token-file /nowhere status

# A processor may be so slow, too, that the handshake does not end in time.
nc -4 -lk 8764 </dev/null >/dev/null 2>&1 &
until ss -Hltn "sport = 8764" | grep -q .; do sleep 0.02; done
turn 69 'cannot reach tegd at https://127.0.0.1:8764' 'https:// is for a tegd with tls-cert' "TLS to who never answers" \
	"$BUILD/tegctl" --url https://127.0.0.1:8764 status

# --- nothing enforced
(umask 077; "$BUILD/tegctl" token look viewer $lab/look.token > $lab/tokens; echo 0123456789abcdef0123 > $lab/old.token; echo x > $lab/wide.token)
chmod 644 $lab/wide.token
ok "tegd starts" tegd_start --engine nft --listen 127.0.0.1:8765 --tokens $lab/tokens
holds "$(ctl posture)" "no policy is enforced, so there are no postures: tegctl apply" "no postures"
turn 2 'no policy is enforced' 'tegctl apply' "no bundle" $tegctl bundle
turn 2 'no policy is enforced' 'tegctl apply' "no difference to it" $tegctl diff 1
holds "$(ctl history)" "no generation is known" "no history"
is "$(ctl feed)" "no policy is enforced, so no feeds are known: tegctl apply FILE.tegb" "no feeds"
is "$(ctl counters)" "no policy is enforced, so no rules are known: tegctl apply FILE.tegb" "no counts"
turn 75 'no policy is in force' 'tegctl apply' "a posture of no policy" $tegctl posture LOCKDOWN
turn 75 'no policy is in force' 'tegctl apply' "a block without one" $tegctl block 192.0.2.1
turn 75 'no policy is in force that could come back' 'without --confirm' "a first policy on trial" $tegctl apply $lab/one.tegb --confirm 60s
turn 75 'no generation waits' 'tegctl history' "a confirmation of nothing" $tegctl confirm
turn 2 'no tar header' 'tegc build POLICY.teg -o BUNDLE.tegb' "a policy where a bundle belongs" $tegctl apply tests/live/edge.teg
turn 66 'it is no file' 'tegc build' "a directory where a bundle belongs" $tegctl apply $lab

# --- one in force
ok "a policy" ctl apply $lab/one.tegb
is "$(ctl feed)" "the policy in force has no feeds" "one without feeds"
turn 2 'has no posture LOCKDWN' '`tegctl posture` lists' "a posture that there is not" $tegctl posture LOCKDWN
turn 64 'a time is seconds, minutes' '--for 30m' "a time without a unit" $tegctl posture LOCKDOWN --for 5
printf '192.0.2.1 # known\n\n192.0.2.2\nfoo.example\n' > $lab/named
printf '192.0.2.1\n192.0.2.2\0 192.0.2.3\n' > $lab/binary
turn 64 "$lab/named:4: \`foo.example\` is no source" 'a source a line' "a name in a file of sources" $tegctl block --from $lab/named
turn 64 "$lab/binary:2: this is no text" 'a source a line' "a file of sources that is no text" $tegctl block --from $lab/binary
is "$($tegctl block)" "0 sources are blocked" "and nothing of them is blocked"
: > $lab/empty.tegb
turn 2 'the bundle is empty' 'tegc build POLICY.teg -o BUNDLE.tegb' "a plan of nothing" $tegctl plan $lab/empty.tegb
turn 2 'no tar header' 'tegc build POLICY.teg -o BUNDLE.tegb' "a plan of a policy" $tegctl plan tests/live/edge.teg
turn 2 'the network 10.0.0.0/8 is not blocked: 10.9.0.1, an address of this host' 'try again' "a network that this host is in" $tegctl block 10.0.0.0/8
turn 64 '10.0.0.1/8` has bits behind' '10.0.0.0/8' "a network with bits behind its length" $tegctl block 10.0.0.1/8
turn 64 '`::ffff:0:0/96` is everybody' 'tegctl posture' "everybody, as a socket of both versions writes it" $tegctl block ::ffff:0:0/96
turn 2 'generation 77 is not kept' '`tegctl history` lists' "a generation that there was not" $tegctl rollback 77
turn 75 'is in force, not "1-abc"' 'tegctl status' "a base that is gone" $tegctl apply $lab/two.tegb --if-match 1-abc
ok "one that waits" ctl apply $lab/two.tegb --confirm 60s
turn 75 'generation 2 waits to be confirmed' '`tegctl confirm` or `tegctl cancel`' "another one meanwhile" $tegctl apply $lab/one.tegb
ok "it is confirmed" ctl confirm
ok "a block" ctl block 192.0.2.1
is "$(ctl audit --json | jq -r 'select(.what == "block" and .result == "done").detail' | tail -1)" "" "what was done has no complaint in the log"
$tegctl watch >$lab/watched &
watching=$!
for _ in $(seq 40); do
	ctl block 192.0.2.2 >/dev/null
	sleep 0.7
	ctl unblock 192.0.2.2 >/dev/null
	sleep 0.7
	grep -q "source is" $lab/watched && break
done
kill $watching
holds "$(cat $lab/watched)" "1 source is blocked" "one source is one"

# --- who may not
turn 77 'A token is needed' 'Authorization' "no token" "$BUILD/tegctl" --url http://127.0.0.1:8765 status
turn 77 'A token is needed' 'Authorization' "a token that is known no longer" "$BUILD/tegctl" --url http://127.0.0.1:8765 --token-file $lab/old.token status
turn 77 'must be a file that only its owner may read' 'readable by you alone' "a token that others may read" \
	"$BUILD/tegctl" --url http://127.0.0.1:8765 --token-file $lab/wide.token status
turn 77 'You may not do this' 'ask as somebody who has that role' "a viewer who switches" \
	"$BUILD/tegctl" --url http://127.0.0.1:8765 --token-file $lab/look.token posture LOCKDOWN

# --- a start that cannot bring back what was
tegd_end KILL
nft flush ruleset
for kept in $lab/state/bundles/*; do head -c 2000 $kept > $lab/cut && cp $lab/cut $kept; done
ok "tegd starts on bundles that were cut short" tegd_start --engine nft --listen 127.0.0.1:8765 --tokens $lab/tokens
holds "$(ctl status)" "fault      generation 2 cannot be restored" "the status says what could not be brought back"
holds "$(curl -s --unix-socket $lab/run/api.sock http://t/readyz | jq -r '.reasons[0]')" "no policy is enforced: generation 2 cannot be restored" \
	"and so does /readyz"
tegd_end KILL

# --- a journal that says nothing
rm -rf $lab/state
ok "tegd starts as on a new host" tegd_start --engine nft --bundle $lab/one.tegb
tegd_end KILL
echo x >$lab/state/state
ok "tegd starts on a journal that is damaged" tegd_start --engine nft
is "$(ctl status | head -1)" "a policy is enforced, and it is not known which" "of which it says no more than it knows"
holds "$(ctl status)" "fault      the kernel has a policy of ours, which goes on until a bundle is applied: the journal $lab/state/state is damaged" "and why"
holds "$(curl -s --unix-socket $lab/run/api.sock http://t/readyz | jq -r '.reasons[0]')" "the kernel has a policy of ours" "and so does /readyz"
holds "$(ctl posture)" "a policy is enforced, and it is not known which, so there are no postures: tegctl apply" "its postures are not known"
turn 2 'a policy is enforced, and it is not known which' 'tegctl apply' "nor is its bundle" $tegctl bundle
is "$(status .events.source), $(status .engine)" "unknown: a policy is enforced, and it is not known which, unknown" "nor who tells of packets, and what judges"
turn 75 'a policy is in force, and it is not known which' 'tegctl apply' "a posture of a policy that is not known" $tegctl posture LOCKDOWN
turn 75 'a policy is in force, and it is not known which' 'tegctl apply' "a block there" $tegctl block 192.0.2.1
turn 75 'a policy is in force, and it is not known which; so what the bundle would change cannot be told' '--base-unknown' "a plan there" \
	$tegctl plan $lab/one.tegb
holds "$($tegctl plan $lab/one.tegb --base-unknown)" "WHAT IS IN FORCE IS NOT KNOWN: all of the bundle is called new" "but one that is asked to call all of it new"
is "$(ctl plan $lab/one.tegb --base-unknown --json | jq -c '[.base_known, .same, .rules_removed, (.rules_added | length > 5)]')" "[false,false,[],true]" "says so to programs, too"
turn 2 'a policy is enforced, and it is not known which' 'tegctl apply' "nor is there a difference to it" $tegctl diff 1
holds "$(ctl feed)" "a policy is enforced, and it is not known which, so no feeds are known" "its feeds are not called none"
holds "$(ctl counters)" "a policy is enforced, and it is not known which, so no rules are known" "nor its counts zero"
holds "$(ctl block)" "a policy is enforced, and it is not known which, so no blocks are known" "nor is nobody said to be blocked"
turn 75 'no policy is known that could come back' 'without --confirm' "a trial there" $tegctl apply $lab/one.tegb --confirm 60s
tegd_end KILL
rm $lab/state/state
ok "on one that is gone" tegd_start --engine nft
is "$(ctl status | head -1), $(status .adopted)" "a policy is enforced, and it is not known which, unknown" "alike"
tegd_end KILL
nft flush ruleset
echo x >$lab/state/state
ok "on one that is damaged, after a boot" tegd_start --engine nft --listen 127.0.0.1:8765 --tokens $lab/tokens
is "$(ctl status | head -1)" "no policy is enforced" "nothing is in the kernel, which is known"
holds "$(ctl status)" "fault      the kernel has nothing of ours" "and said"
holds "$(ctl posture)" "no policy is enforced, so there are no postures" "of its postures, too"
cp "$BUILD/tegctl" $lab/tegctl && chmod 755 $lab $lab/tegctl
turn 77 "you may not use tegd's socket" "member of the socket's group" "a user of no group" \
	setpriv --reuid 65534 --regid 65534 --clear-groups $lab/tegctl --socket $lab/run/api.sock status
turn 69 'cannot reach tegd at https://127.0.0.1:8765' 'https:// is for a tegd with tls-cert' "TLS to who speaks none" \
	"$BUILD/tegctl" --url https://127.0.0.1:8765 posture LOCKDOWN
done_testing
