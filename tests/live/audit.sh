#!/bin/bash
# The audit log of a real tegd: every change has its entry, whoever asked, and tampering is found.
. tests/lib/live.bash

ends() { "${@:2}" >$lab/said 2>&1; same $? "$1"; } # ends CODE COMMAND...
log=$lab/state/audit.log
last() { tail -1 $log | jq -r "$1"; } # last FILTER

bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/'
"$BUILD/tegctl" token ops operator $lab/ops.token > $lab/tokens; chmod 600 $lab/tokens
ok "tegd starts" tegd_start --engine nft --listen 127.0.0.1:8765 --tokens $lab/tokens
is "$(last '.what, .who, .result' | xargs)" "start tegd done" "a start is an entry"
ok "a policy" ctl apply $lab/one.tegb
is "$(last '.what, .who, .from, .result, .generation, .posture' | xargs)" "apply root (policy-admin) unix done 1 BALANCED" "is one, with who asked"
holds "$(last .summary)" "policy edge 1, bundle $(status .policy.bundle)" "and which it was"
ok "a posture over TCP" "$BUILD/tegctl" --url http://127.0.0.1:8765 --token-file $lab/ops.token posture LOCKDOWN --reason 'a "try"' --for 5m
is "$(last '[.what, .who, .summary] | join(" | ")')" 'posture | token ops (operator) | LOCKDOWN for 300 s: a "try"' "with the token's name and the reason"
holds "$(last .from)" "127.0.0.1:" "and the address"
ok "what is refused" ends 2 ctl posture NOWHERE
is "$(last '.result, .posture' | xargs)" "refused LOCKDOWN" "is an entry too"
holds "$(last .detail)" "no posture NOWHERE" "that says why"
head -c 5000 /dev/urandom > $lab/noise.tegb
ok "and so is noise" ends 2 ctl apply $lab/noise.tegb
holds "$(last .summary)" "$(sha256sum < $lab/noise.tegb | cut -d' ' -f1)" "by its digest"
ok "a viewer's look is none" ctl status
is "$(wc -l < $log)" 5 "five entries"
ok "the log is whole" ends 0 ctl audit verify
holds "$(cat $lab/said)" "5 entries" "says tegctl"
head=$(sed -n 's/^head //p' $lab/said)
holds "$(ctl audit)" "LOCKDOWN for 300 s" "entries for a person"
is "$(ctl audit --json --last 2 | jq -s length)" 2 "the last two for a program"
is "$(curl -s --unix-socket $lab/run/api.sock http://t/api/tegumentar/audit | cmp - $log && echo same)" same "the API gives it as it is"
is "$(grep -cF -e "$(cat $lab/ops.token)" $log)" 0 "no token is in it"

# --- a crash
tegd_end KILL
printf '{"seq":6,"prev":"half' >> $log
ok "tegd starts after a crash" tegd_start --engine nft
ok "the log is whole" ends 0 ctl audit verify
is "$(last '.seq, .what, .generation, .posture' | xargs)" "6 start 1 LOCKDOWN" "and goes on"
ok "an earlier head is still in it" ends 0 ctl audit verify --head "$head"

# --- tampering
cp $log $lab/copy
ok "a copy is verified without tegd" ends 0 "$BUILD/tegctl" --socket /nowhere audit verify $lab/copy
sed -i '3s/LOCKDOWN/BALANCED/' $lab/copy
ok "an altered entry: 2" ends 2 ctl audit verify $lab/copy
holds "$(cat $lab/said)" "line 3: entry 3 is not as it was written" "is named"
sed 3d $log > $lab/copy
ok "an entry taken out: 2" ends 2 ctl audit verify $lab/copy
head -3 $log > $lab/copy
ok "the end cut off shows nothing by itself" ends 0 ctl audit verify $lab/copy
ok "but to who knows a later head: 2" ends 2 ctl audit verify $lab/copy --head "$head"
sed -i '$d' $lab/copy; sed -n 4p $log >> $lab/copy
ok "an entry in another's place: 2" ends 2 ctl audit verify $lab/copy
ok "no such file: 66" ends 66 ctl audit verify $lab/nothing
tegd_end TERM
sed -i '$s/start/begin/' $log
ok "tegd starts over a log whose end was altered" tegd_start --engine nft
is "$(wc -l < $log)" 1 "with a new one"
holds "$(last .detail)" "set aside" "whose first entry says so"
is "$(ls $lab/state/audit.log.broken-* | wc -l)" 1 "and the old one is kept"

# --- several files
tegd_end TERM
rm -f $lab/state/audit.log*
ok "tegd puts the log away" tegd_start --engine nft --audit-bytes 4096
for i in $(seq 50); do ctl posture BALANCED --reason "try $i" >/dev/null; done
away=$(ls $lab/state/audit.log.[0-9]* | wc -l)
ok "into several files" [ $away -ge 3 ]
is "$(stat -c %a $lab/state/audit.log.* | sort -u)" 600 "that root alone may read"
ok "all of them are verified" ends 0 ctl audit verify
holds "$(cat $lab/said)" "in $((away + 1)) files" "says tegctl"
is "$(ctl audit verify --json | jq -c '[.whole, .files, .removed_to]')" "[true,$((away + 1)),0]" "to a program too"
is "$(ctl audit --json --last 1000 | jq -s 'map(.seq) == [range(1; length + 1)]')" true "entries are shown across them"
is "$(ctl audit --json --last 25 | wc -l)" 25 "as many as are asked for"
ok "the files are verified without tegd" ends 0 "$BUILD/tegctl" audit verify $lab/state/audit.log*
mid=$(ls $lab/state/audit.log.[0-9]* | sed -n 2p)
mv $mid $lab/hidden
ok "one is missing: 2" ends 2 ctl audit verify
holds "$(cat $lab/said)" "are missing, between" "which is named"
sed '2s/try/cry/' $lab/hidden > $mid
ok "one is altered: 2" ends 2 ctl audit verify
holds "$(cat $lab/said)" "${mid##*/}: line 2: entry" "which is named"
mv $lab/hidden $mid
tegd_end KILL
ok "tegd keeps two of them" tegd_start --engine nft --audit-bytes 4096 --audit-files 2
for i in $(seq 12); do ctl posture BALANCED --reason "try $i" >/dev/null; done
is "$(ls $lab/state/audit.log.[0-9]* | wc -l)" 2 "the rest go"
ok "and that is whole" ends 0 ctl audit verify
holds "$(cat $lab/said)" "was removed, as an entry says" "which says so"
rm $(ls $lab/state/audit.log.[0-9]* | head -1)
ok "one more that somebody else removed: 2" ends 2 ctl audit verify
holds "$(cat $lab/said)" "no entry says that they were removed" "is missing"

# --- a disk that is full
mkdir $lab/small && mount -t tmpfs -o size=4m tmpfs $lab/small
tegd_end TERM
cp -a $lab/state $lab/small/state; rm $lab/small/state/audit.log*
ok "tegd starts on a small disk" tegd_start --engine nft --state-dir $lab/small/state --audit-bytes 4096
dd if=/dev/zero of=$lab/small/fill bs=4k >/dev/null 2>&1
for i in $(seq 60); do ctl posture BALANCED --reason "$(printf '%0900d' $i)" >/dev/null 2>&1; done
ok "a posture is switched to with a full disk" ctl posture EXPLORE
ok "that an entry could not be written is said" grep -q "cannot write the audit log" $lab/log
holds "$(status .fault)" "writ" "and the status tells"
rm $lab/small/fill
ok "with room again" ctl posture BALANCED
is "$(status .intact)" true "all is well"
ok "and the log is whole" ends 0 ctl audit verify
done_testing
