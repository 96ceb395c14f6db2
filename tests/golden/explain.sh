#!/bin/bash
# tegc explain: the page on a diagnostic, and why a packet fares as it does.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/prompt.bash || exit 1

# --- a diagnostic's page --------------------------------------------------------------

# The policies of a page, from the file and from what is shown: without fences, without indentation.
of_file() { awk '/^```teg/ { on = 1; next } /^```/ { on = 0 } on && NF { print }' "docs/errors/$1.md"; }
of_shown() { sed -n 's/^    //p'; }

exits 0 "explain --list" "$tegc" explain --list
diff <(sed -nE 's/^DIAG\([A-Z0-9_]+, "(E[0-9]+)", [A-Z]+, "(.*)"\)$/\1  \2/p' lang/syntax/diag.def) <(echo "$out") >"$dir/differ"
ok "lists every row of diag.def" "$dir/differ"
for code in $(echo "$out" | cut -d' ' -f1); do
	"$tegc" explain "$code" >"$dir/shown" || echo "$code: exit $?"
	[ "$(head -1 "$dir/shown")" = "$(sed -n '1s/^# //p' "docs/errors/$code.md")" ] || echo "$code: its title"
	diff <(of_file "$code") <(of_shown <"$dir/shown" | grep .) >/dev/null || echo "$code: its policies"
	grep -q '^```' "$dir/shown" && echo "$code: a fence"
done >"$dir/wrong"
[ ! -s "$dir/wrong" ]
ok "each is explained with the title and the policies of its page" "$dir/wrong"
exits 0 "letters may be small" "$tegc" explain e0810
says "E0810: a packet that leaves out what decides" "and mean the same"
exits 64 "an unknown code is 64" "$tegc" explain E0999
says 'did you mean `E0' "with the one that was meant"
exits 64 "explain wants something" "$tegc" explain
exits 64 "one thing" "$tegc" explain E0810 E0809
exits 64 "and not both" "$tegc" explain --list E0810

# --- a packet -------------------------------------------------------------------------

# The policy of docs/explain.md, and what that page says of it.
awk '/^```teg$/ { on = 1; next } /^```/ { on = 0 } on' docs/explain.md >"$dir/edge.teg"
exits 0 "the page's policy is tested" "$tegc" test edge.teg
awk '/^```console$/ { on = 1; next } /^```/ { on = 0 } on' docs/explain.md >"$dir/console"
i=0
while read -r line; do
	case $line in
	'$ tegc explain edge.teg '*) i=$((i + 1)); echo "${line#'$ tegc'}" >"$dir/command.$i"; : >"$dir/want.$i" ;;
	esac
done <"$dir/console"
awk -v dir="$dir" '/^\$ / { i++; next } i { print > (dir "/want." i) }' "$dir/console"
[ "$i" -ge 3 ]
claim $? "the page shows some packets" <<<"$i"
for one in $(seq "$i"); do
	(cd "$dir" && eval "'$tegc' $(cat "$dir/command.$one")" >out 2>&1)
	diff <(sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' "$dir/want.$one") "$dir/out" >"$dir/differ"
	ok "the page shows what is said: tegc$(cat "$dir/command.$one")" "$dir/differ"
done

exits 0 "--state is one more word of the packet" "$tegc" explain edge.teg --packet 'tcp 198.51.100.7:40000 -> self:22 ack on wan' --state established
says "allow by established" "which may decide"
exits 0 "a posture can be chosen" "$tegc" explain edge.teg --packet 'tcp 198.51.100.7:40000 -> self:443 syn on wan' --posture LOCKDOWN
says "LOCKDOWN: drop by LOCKDOWN.default.in" "and decides"
exits 64 "one that does not exist is 64" "$tegc" explain edge.teg --packet 'tcp 198.51.100.7:40000 -> self:443 syn on wan' --posture LOKDOWN
says 'did you mean `LOCKDOWN`?' "with the one that was meant"
exits 4 "a packet that leaves out what decides is 4" "$tegc" explain edge.teg --packet 'tcp 198.51.100.7:40000 -> self syn on wan'
says 'error[E0810]: the packet has no destination port, and `web_in` may decide by it' "and says what it leaves out"
exits 64 "a packet that cannot be read is 64" "$tegc" explain edge.teg --packet 'tcp 198.51.100.7:40000 self:22'
says 'error[E0101]' "and says why"
exits 64 "so is one of unknown words" "$tegc" explain edge.teg --packet 'tcp 198.51.100.7:40000 -> self:22 sym on wan'
says 'did you mean `syn`?' "with what was meant"
exits 64 "and one that is no text" "$tegc" explain edge.teg --packet $'tcp \xff'
exits 66 "a missing policy is 66" "$tegc" explain none.teg --packet 'tcp 198.51.100.7:40000 -> self:22 syn on wan'
echo 'posture {' >"$dir/wrong.teg"
exits 1 "a wrong one is 1" "$tegc" explain wrong.teg --packet 'tcp 198.51.100.7:40000 -> self:22 syn on wan'
exits 0 "--report json=-" "$tegc" explain edge.teg --packet 'tcp 198.51.100.7:40000 -> self:22 syn on wan' --report json=-
python3 - "$dir/out" >"$dir/said" 2>&1 <<'PY'
import json, sys
x = json.load(open(sys.argv[1]))["explanation"]
assert list(x) == sorted(x), list(x)
assert (x["verdict"], x["by"], x["posture"]) == ("drop", "BALANCED.default.in", "BALANCED"), x
assert [l["said"] for l in x["layers"]][-1] == "decides", x["layers"]
near = {n["rule"]["id"]: (n["field"], n["has"], n["wants"]) for n in x["near"]}
assert near["lifeline.owner"] == ("source address", "198.51.100.7", "office"), near
assert near["BALANCED.web_in"] == ("destination port", "22", "80, 443"), near
PY
ok "says the same to programs, with sorted keys" "$dir/said"
exits 74 "a report that cannot be written is 74" "$tegc" explain edge.teg --packet 'tcp 198.51.100.7:40000 -> self:22 syn on wan' --report json=no/where
exits 64 "another report is 64" "$tegc" explain edge.teg --packet 'tcp 198.51.100.7:40000 -> self:22 syn on wan' --report xml=x

echo "1..$n"
