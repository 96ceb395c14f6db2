#!/bin/bash
# Reports: every format of every command that finds something, against its schema; several in
# one run; written whatever the answer is, in one step, with the same bytes each time.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
mkdir -p "$dir/repo/policies" && cd "$dir/repo" && git init -q . || exit 1

exits() { # exit code, words, command...
	local want=$1 words=$2 got
	shift 2
	"$@" >"$dir/out" 2>"$dir/said"
	got=$?
	[ $got = "$want" ] || echo "exit $got, not $want" >>"$dir/said"
	[ $got = "$want" ]
	ok "$words" "$dir/said"
}
asks() { # file, jq expression that must hold, words
	jq -e "$2" "$1" >"$dir/said" 2>&1
	ok "$3" "$dir/said"
}

cat >policies/edge.teg <<'TEG'
zone wan = "eth0"
posture OPEN {
    default in drop
    default forward drop
    default out allow
    established keep
    web_in: allow tcp to self port [80, 443]
    late: drop tcp from 192.0.2.0/24 to self port 443
    more: allow tcp from 192.0.2.0/24 to self port 80
}
test "telnet is \"open\" & <b>" {
    posture OPEN
    tcp 198.51.100.20:40000 -> self:23 syn on wan => allow
}
test "web" {
    posture OPEN
    tcp 198.51.100.20:40000 -> self:80 syn on wan => allow
}
test "later" {
    posture OPEN
    todo "not yet"
    tcp 198.51.100.20:40000 -> self:25 syn on wan => allow
}
TEG
sed -n '/^zone/,/^}/p' policies/edge.teg | sed '/late:/d; /more:/d' >policies/good.teg
sed 's/^    web_in.*/&\n    ssh_any: allow tcp to self port 22/' policies/good.teg >policies/wide.teg
sed 's/^    web_in.*/    web_in: allow tcp to self prt 80/' policies/good.teg >'policies/wr ong%.teg'
printf 'zone   wan = "eth0"\n' >policies/crooked.teg

{ cat policies/good.teg; printf 'test "nothing else" {\n    posture %s\n    tcp 198.51.100.7:1 -> self:23 => drop\n}\n' "$(sed -n 's/^posture \([A-Z]*\).*/\1/p' policies/good.teg | head -1)"; } >policies/tested.teg

printf '%s\n' '*filter' ':INPUT DROP [0:0]' ':FORWARD DROP [0:0]' ':OUTPUT ACCEPT [0:0]' '-A INPUT -m owner --uid-owner 0 -j ACCEPT' \
	'-A INPUT -p udp -m mac --mac-source 02:00:00:00:00:01 -j DROP' '-A INPUT -j MARK --set-mark 1' '-A INPUT -p udp -j ACCEPT' COMMIT >rules

all() { # name: every format, into files of that name
	local format
	for format in human plain short json sarif junit markdown md github; do
		printf -- '--report\n%s=%s/%s.%s\n' $format "$dir" "$1" $format
	done
}
run() { # exit code, name, command and arguments
	local want=$1 name=$2
	shift 2
	mapfile -t reports < <(all "$name")
	exits "$want" "$name: all formats in one run" "$tegc" "$@" "${reports[@]}"
}
cd policies || exit 1
run 2 check check edge.teg good.teg
run 1 wrong check "wr ong%.teg" edge.teg
run 66 missing check nowhere.teg
run 2 test test edge.teg
run 0 build build good.teg -o "$dir/good.tegb"
run 1 build-wrong build "wr ong%.teg" -o "$dir/wrong.tegb"
run 2 fmt fmt --check crooked.teg good.teg
run 3 diff diff good.teg wide.teg
run 2 closed diff --fail-on critical wide.teg good.teg
run 2 mutants test --coverage --mutants tested.teg
run 0 explain explain tested.teg --packet 'tcp 198.51.100.7:40000 -> self:22 syn'
run 4 explain-open explain tested.teg --packet 'tcp 198.51.100.7:40000 -> self syn'
run 2 import import iptables-save ../rules -o "$dir/imported.teg"
run 0 import-part import --stateful iptables-save ../rules -o "$dir/imported.teg"
run 1 import-wrong import nft ../rules -o "$dir/imported.teg"
run 0 proved prove good.teg 'in every posture: tcp to self port 23 is dropped'
run 2 refuted prove wide.teg 'in every posture: tcp to self port 22 is dropped'
run 1 unsaid prove wide.teg 'in every posture: tcp to self port 22 is open'
run 2 access no-new-access good.teg wide.teg
run 0 no-access no-new-access --allow wide.teg good.teg wide.teg
run 1 diff-wrong diff good.teg "wr ong%.teg"

for kind in json sarif; do
	python3 "$root/tests/lib/report.py" $kind "$dir"/*.$kind >"$dir/said" 2>&1
	ok "every $kind report is what its schema says" "$dir/said"
done
if command -v xmllint >/dev/null; then
	xmllint --noout --schema "$root/tests/lib/schemas/junit-4.xsd" "$dir"/*.junit >"$dir/said" 2>&1
	ok "every junit report is what its schema says" "$dir/said"
else
	skip "every junit report is what its schema says" "xmllint is not installed"
fi
for name in check wrong missing test build build-wrong fmt diff closed mutants explain explain-open proved refuted unsaid access no-access import import-part import-wrong diff-wrong; do
	cmp "$dir/$name.markdown" "$dir/$name.md" >"$dir/said" 2>&1
done
ok "md is markdown" "$dir/said"

asks "$dir/check.json" '.exit == 2 and .result == "no" and .command == "check"' "json: the answer"
asks "$dir/check.json" '[.inputs[].path] == ["policies/edge.teg", "policies/good.teg"]' "json: paths are relative to the repository"
[ "$(jq -r '.inputs[0].sha256' "$dir/check.json")" = "$(sha256sum <edge.teg | cut -d' ' -f1)" ]
ok "json: inputs by SHA-256" "$dir/check.json"
asks "$dir/check.json" '.summary.errors == 1 and .summary.warnings == 1 and (.diagnostics | length) == 2' "json: the counts"
asks "$dir/check.json" '.diagnostics[0] | .code == "E0312" and .place.line == 8 and .related[0].place.line == 7' "json: a finding and its places"
asks "$dir/missing.json" '.exit == 66 and .result == "input" and .diagnostics[0].code == "E0001"' "json: an input that is missing"
asks "$dir/test.json" '[.tests[].end] == ["failed", "passed", "todo"] and .summary.tests.failed == 1' "json: tests"
asks "$dir/mutants.json" '([.coverage[].packets] | add) == 1 and ([.mutants[].change] | index("deleted") != null)' "json: coverage and mutants"
asks "$dir/explain.json" '.explanation | .verdict == "drop" and .layers[-1].said == "decides" and .near[0].field == "destination port"' "json: an explanation"
asks "$dir/import.json" '.import.written == false and ([.import.notes[].kind] | sort == ["answers-pass", "beside", "left-out", "widened"])' "json: an import, and what it does not carry"
asks "$dir/import.json" '[.diagnostics[] | "\(.code) \(.severity) \(.place.line)"] == ["E1102 warning 5", "E1103 warning 6", "E1104 error 6"]' "json: findings of an import"
asks "$dir/import-part.json" '.import.written and .import.whole == false and .summary.errors == 0 and .inputs[0].path == "rules"' "json: an import that was agreed to"
asks "$dir/import-wrong.json" '.result == "wrong" and .diagnostics[0].code == "E1101"' "json: an import that is none"
asks "$dir/explain-open.json" '.result == "unknown" and .diagnostics[0].code == "E0810"' "json: a packet that leaves out what decides"
asks "$dir/proved.json" '.proof == {"answer": "proved", "claim": "in every posture: tcp to self port 23 is dropped", "undecided": 0} and [.inputs[].path] == ["policies/good.teg"]' "json: what is proved"
asks "$dir/refuted.json" '.proof | .answer == "refuted" and .example.assumes == [] and .example.decided[0].by == "OPEN.ssh_any" and (.example.packet | test(":22"))' "json: what is refuted, with a packet"
asks "$dir/refuted.sarif" '.runs[0].results[0] | .ruleId == "E0401" and .locations[0].physicalLocation.artifactLocation.uri == "policies/wide.teg"' "sarif: a claim of the prompt is about the policy"
asks "$dir/unsaid.json" '.result == "wrong" and .diagnostics[0].code == "E0403" and (has("proof") | not)' "json: a claim that is none"
asks "$dir/access.json" '.command == "no-new-access" and .result == "no" and [.diff.changes[].kind] == ["opened"]' "json: new access"
asks "$dir/access.sarif" '.runs[0].results[0].ruleId == "diff/opened"' "sarif: new access"
asks "$dir/no-access.json" '.result == "yes" and .diff.changes == [] and ([.inputs[].path] | sort) == ["policies/good.teg", "policies/wide.teg"]' "json: what is permitted is no new access"
asks "$dir/fmt.json" '[.files[].spelling] == ["other", "same"]' "json: spellings"
asks "$dir/diff.json" '.diff.changes[0].kind == "opened" and .summary.opened == 1 and .result == "risky"' "json: changes"
[ "$(jq -r '.bundle.sha256' "$dir/build.json")" = "$(sha256sum <"$dir/good.tegb" | cut -d' ' -f1)" ]
ok "json: the bundle by SHA-256" "$dir/build.json"
asks "$dir/build-wrong.json" 'has("bundle") | not' "json: no bundle, when none was written"
asks "$dir/wrong.sarif" '[.runs[0].results[].locations[0].physicalLocation.artifactLocation.uri] | index("policies/wr%20ong%25.teg") != null' "sarif: a path as URI"
asks "$dir/diff.sarif" '.runs[0].results[0] | .ruleId == "diff/opened" and .level == "error"' "sarif: changes"
[ "$(xmllint --xpath 'string(//testcase[1]/@classname)' "$dir/test.junit" 2>&1)" = policies.edge ]
ok "junit: classname is the policy" "$dir/test.junit"
[ "$(xmllint --xpath 'concat(count(//failure), " ", count(//skipped), " ", string(//testcase[1]/@name))' "$dir/test.junit" 2>&1)" = '1 1 telnet is "open" & <b>' ]
ok "junit: failed, to come, and a name with markup" "$dir/test.junit"
grep -qF '::error file=policies/edge.teg,line=8,endLine=8,col=5,endColumn=53,title=E0312::`late` never decides%0A' "$dir/check.github"
ok "github: a line is marked" "$dir/check.github"
grep -qF 'file=policies/wr ong%25.teg,' "$dir/wrong.github"
ok "github: a path is escaped" "$dir/wrong.github"
grep -q '^policies/edge.teg:8:5: error\[E0312\]: `late` never decides$\|^edge.teg:8:5: error\[E0312\]: `late` never decides$' "$dir/check.short"
ok "short: a line for each finding" "$dir/check.short"
grep -qF '| error | policies/edge.teg:8:5 | E0312 | `late` never decides |' "$dir/check.markdown"
ok "markdown: a table" "$dir/check.markdown"
grep -qP '[^\x20-\x7e\n]|\^\^|-->' "$dir/check.plain"
[ $? = 1 ]
ok "plain: no drawings" "$dir/check.plain"

# --- where they go -------------------------------------------------------------------------

"$tegc" check edge.teg --report json=- 2>"$dir/err" | jq -e .exit >"$dir/said" 2>&1
ok "a report on standard output is alone there" "$dir/said"
grep -q 'error\[E0312\]' "$dir/err"
ok "and the text goes to standard error" "$dir/err"
"$tegc" check edge.teg --report json="$dir/again" >/dev/null 2>&1
"$tegc" check edge.teg --report json="$dir/again2" >/dev/null 2>&1
cmp "$dir/again" "$dir/again2" >"$dir/said" 2>&1
ok "the same input, the same bytes" "$dir/said"
exits 74 "a report that cannot be written is 74" "$tegc" check good.teg --report json=no/where
exits 74 "whatever the answer is" "$tegc" check edge.teg --report json=no/where
exits 64 "a format that does not exist" "$tegc" check good.teg --report html=x
exits 64 "a format without a file" "$tegc" check good.teg --report json
echo old >"$dir/old" && ln "$dir/old" "$dir/link"
exits 0 "a file that is there" "$tegc" check good.teg --report short="$dir/old"
[ "$(cat "$dir/link")" = old ]
ok "is replaced in one step, not written over" "$dir/link"
mkfifo "$dir/pipe"
"$tegc" check good.teg --report json="$dir/pipe" >/dev/null 2>&1 &
jq -e '.result == "yes"' <"$dir/pipe" >"$dir/said" 2>&1
ok "a pipe is written to" "$dir/said"
wait
exits 64 "fmt: policy and report cannot both go to standard output" "$tegc" fmt --report json=- - <good.teg

# --- at the prompt -------------------------------------------------------------------------

"$tegc" check --plain edge.teg >"$dir/said" 2>&1
grep -q '^edge.teg:8:5: E0312 `late` never decides$' "$dir/said"
ok "--plain" "$dir/said"
"$tegc" check --color always edge.teg | grep -q $'\033'
ok "--color always" "$dir/said"
script -qec "$tegc check edge.teg" /dev/null </dev/null >"$dir/tty" 2>&1
grep -q $'\033' "$dir/tty"
ok "colour on a terminal" "$dir/tty"
NO_COLOR=1 script -qec "$tegc check edge.teg" /dev/null </dev/null >"$dir/tty" 2>&1
! grep -q $'\033' "$dir/tty"
ok "but not with NO_COLOR" "$dir/tty"
script -qec "$tegc check --color never edge.teg" /dev/null </dev/null >"$dir/tty" 2>&1
! grep -q $'\033' "$dir/tty"
ok "and never when it says so" "$dir/tty"
exits 64 "--color takes three words" "$tegc" check --color blue edge.teg
echo "1..$n"
