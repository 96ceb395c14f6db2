#!/bin/bash
# What comments allow: for the next statement or block, or for the line; until a day; counted apart.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
cd "$dir" || exit 1

# exit code, the codes that are told (with how many are allowed), words; the policy's rules on stdin
told() {
	local want=$1 codes=$2 words=$3 got said
	{ echo 'zone wan = "eth0"'; printf 'posture OPEN {\n    default drop\n'; cat; echo '}'; } >p.teg
	"$tegc" check --fail-level warning --plain --report json=p.json p.teg >out 2>&1
	got=$?
	said=$(jq -r '[(.diagnostics[] | select(.allowed | not) | .code), "\(.summary.allowed) allowed"] | join(" ")' p.json)
	[ $got = "$want" ] && [ "$said" = "$codes" ]
	claim $? "$words" < <(echo "exit $got, not $want; told: $said, not: $codes"; cat out)
}

told 2 'E0331 0 allowed' 'without a comment it is told' <<'TEG'
    ssh: allow tcp to self port 22
TEG
told 0 '1 allowed' 'above the rule' <<'TEG'
    # tegc: allow E0331 "a lab"
    ssh: allow tcp to self port 22
TEG
told 0 '1 allowed' 'other comments and empty lines between them' <<'TEG'
    #tegc:  allow E0331 "a lab"   owner "net@example.org"

    # the lab's own
    ssh: allow tcp to self port 22
TEG
told 0 '1 allowed' 'at the end of the line' <<'TEG'
    ssh: allow tcp to self port 22 # tegc: allow E0331 "a lab"
TEG
told 2 'E0331 1 allowed' 'the next rule only' <<'TEG'
    # tegc: allow E0331 "a lab"
    ssh: allow tcp to self port 22
    rdp: allow tcp to self port 3389
TEG
told 2 'E0331 1 allowed' 'that line only' <<'TEG'
    ssh: allow tcp to self port 22 # tegc: allow E0331 "a lab"
    rdp: allow tcp to self port 3389
TEG
told 0 '1 allowed' 'an error of the prover can be allowed' <<'TEG'
    web: allow tcp to self port [80, 443]
    # tegc: allow E0312 "kept for the day when web goes"
    late: drop tcp from 192.0.2.0/24 to self port 443
TEG
told 2 'E1003 E0331 0 allowed' 'the code that is named only' <<'TEG'
    # tegc: allow E0313 "a lab"
    ssh: allow tcp to self port 22
TEG
told 2 'E1001 1 allowed' 'nothing follows in the block' <<'TEG'
    ssh: allow tcp to self port 22 # tegc: allow E0331 "a lab"
    # tegc: allow E0331 "a lab"
TEG
told 2 'E1001 E0331 0 allowed' 'a day that does not exist' <<'TEG'
    # tegc: allow E0331 "a lab" until 2027-02-29
    ssh: allow tcp to self port 22
TEG
told 2 'E1001 E0331 0 allowed' 'an owner without quotes' <<'TEG'
    # tegc: allow E0331 "a lab" owner me
    ssh: allow tcp to self port 22
TEG
told 2 'E1001 E0331 0 allowed' 'an owner twice' <<'TEG'
    # tegc: allow E0331 "a lab" owner "me" owner "you"
    ssh: allow tcp to self port 22
TEG
told 2 'E1001 E0331 0 allowed' 'another verb' <<'TEG'
    # tegc: ignore E0331 "a lab"
    ssh: allow tcp to self port 22
TEG
told 2 'E1004 E0331 0 allowed' 'a code that does not exist' <<'TEG'
    # tegc: allow E7331 "a lab"
    ssh: allow tcp to self port 22
TEG

# The last second of the day, and the one after it.
export SOURCE_DATE_EPOCH=1801439999
told 0 '1 allowed' 'on its last day' <<'TEG'
    # tegc: allow E0331 "a lab" owner "net@example.org" until 2027-01-31
    ssh: allow tcp to self port 22
TEG
SOURCE_DATE_EPOCH=1801440000
told 2 'E1002 E0331 0 allowed' 'on the day after' <<'TEG'
    # tegc: allow E0331 "a lab" owner "net@example.org" until 2027-01-31
    ssh: allow tcp to self port 22
TEG
grep -q 'its owner is net@example.org' out
ok 'and the owner is named' out
unset SOURCE_DATE_EPOCH

cat >block.teg <<'TEG'
# tegc: allow E0331 "a lab"
posture OPEN {
    default drop
    ssh: allow tcp to self port 22
    rdp: allow tcp to self port 3389
}
TEG
"$tegc" check --fail-level warning block.teg >out 2>&1 && grep -qx '2 allowed' out
ok 'above a block: everything in it' out
printf 'import "block.teg"\n' >import.teg
"$tegc" check --fail-level warning import.teg >out 2>&1 && grep -qx '2 allowed' out
ok 'in a file that is imported' out
sed 's/E0331/E0313/' block.teg >unused.teg
"$tegc" check --no-proofs --fail-level warning unused.teg >out 2>&1 && [ ! -s out ]
ok 'whether it is needed is not asked without proofs' out

sed -i 's/"a lab"/& owner "net@example.org" until 2999-12-31/' block.teg
"$tegc" check block.teg --report json=b.json --report sarif=b.sarif --report github=b.github --report junit=b.junit --report md=b.md >/dev/null 2>&1
jq -e '.diagnostics[0].allowed == {"owner": "net@example.org", "reason": "a lab", "until": "2999-12-31"} and .summary.warnings == 0' b.json >out
ok 'json has it with its reason' b.json
jq -e '.runs[0].results[0].suppressions == [{"justification": "a lab (net@example.org), until 2999-12-31", "kind": "inSource"}]' b.sarif >out
ok 'sarif has it as suppressed' b.sarif
[ ! -s b.github ] && ! grep -q '<failure' b.junit
ok 'github and junit do not tell it' b.junit
grep -q '| allowed | .*; allowed: a lab |' b.md
ok 'markdown says so' b.md
echo "1..$n"
