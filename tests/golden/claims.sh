#!/bin/bash
# What a policy claims of itself: tegc check, tegc build and tegc prove, word for word where it matters.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/prompt.bash || exit 1
cd "$dir" || exit 1

cat >base.teg <<'TEG'
policy p { version "1" }
zone wan = "eth0"
net office = 192.0.2.0/24
lifeline { owner: tcp from office to self port 22 }
posture SHUT { default drop }
posture HALF extends SHUT { web: allow tcp to self port 443 }
posture OPEN extends HALF { plain: allow tcp to self port 80 limit 10/s per source }
initial posture OPEN
order SHUT <= HALF <= OPEN
TEG
claims() { # LINES
	{ cat base.teg; printf '%s\n' "$@"; } >claims.teg
}

claims 'invariant logins { in every posture: tcp from office to self port 22 is allowed }' \
	'invariant no_telnet { in SHUT..OPEN: tcp to self port 23 is dropped' 'in [SHUT, HALF]: tcp to self port 80 is dropped }'
tells 0 '' 'claims that hold say nothing' "$tegc" check claims.teg
tells 0 '' 'and a bundle is written' "$tegc" build claims.teg -o claims.tegb
tells 0 '' 'what is resolved has them still' sh -c "tar xOf claims.tegb policy/resolved.teg >resolved.teg &&
	grep -q '^order SHUT <= HALF <= OPEN' resolved.teg && [ \$(grep -c '^invariant' resolved.teg) = 2 ] &&
	[ \$(grep -c '^    in \\[' resolved.teg) = 3 ] && '$tegc' check resolved.teg"

# What is proved goes into the bundle: with what follows, and no more.
orders() { "$tegc" build claims.teg -o claims.tegb && "$tegc" disasm claims.tegb | sed -n '/^postures/,/^$/p' | grep -o '^ *[A-Z]* \|<= [A-Z]*' | xargs; }
same 'SHUT <= HALF <= OPEN HALF <= OPEN OPEN' "$(orders)" 'a bundle has the order of its postures, and what follows from it'
sed -i 's/^order.*/order SHUT <= OPEN/' claims.teg
same 'SHUT <= OPEN HALF OPEN' "$(orders)" 'what nobody claimed is not known, though it could be proved'
sed -i 's/^order.*/order SHUT <= HALF <= OPEN/; s/^posture HALF extends SHUT {/& established recheck\n/; s/^posture OPEN extends HALF {/& established keep\n/' claims.teg
same 'SHUT <= OPEN HALF <= OPEN OPEN' "$(orders)" 'a posture that lets flows go on is within none that judges them again'

claims 'invariant no_plain { in HALF..OPEN: tcp to self port 80 is dropped }'
tells 2 'error[E0401]: `no_plain` does not hold in OPEN
`plain` admits it in OPEN
for example: tcp 198.51.100.7:50000 -> self:80 syn
!only if' 'an invariant that is broken while nothing is exceeded' "$tegc" check claims.teg
rm -f claims.tegb
tells 2 'error[E0401]' 'no bundle is written of it' "$tegc" build claims.teg -o claims.tegb
tells 1 '' 'none at all' test -e claims.tegb
claims 'invariant shut { in every posture: tcp from office to self port 22 is dropped }'
tells 2 'error[E0401]: `shut` does not hold in SHUT
`owner` admits it in SHUT' 'an invariant against a lifeline' "$tegc" check claims.teg
claims 'invariant web { in OPEN: tcp to self port 443 is allowed }'
tells 0 'warning[E0402]: `web` holds only under an assumption
only if the source is blocked at run time' 'what can be blocked is allowed only if it is not' "$tegc" check claims.teg
tells 0 'warning[E0402]' 'which does not keep a bundle from being written' "$tegc" build claims.teg -o claims.tegb
claims 'invariant outbound { in SHUT: out tcp to any is dropped }'
tells 2 'tcp self:22 -> 192.0.2.10:22 syn' 'answers of a lifeline are outbound' "$tegc" check claims.teg
claims 'order OPEN <= HALF'
tells 2 'error[E0411]: OPEN admits what HALF does not
`plain` admits it in OPEN
drops it in HALF
-> self:80 syn' 'an order that is broken' "$tegc" check claims.teg
claims 'invariant a { in OPEN..SHUT: ip is dropped }' 'invariant a { in NOWHERE: ip is dropped }' 'order SHUT <= SHUT'
tells 1 'error[E0404]: no `order` says what lies from `OPEN` to `SHUT`
error[E0202]
error[E0201]
error[E0413]' 'claims that say nothing are all told of' "$tegc" check claims.teg

tells 0 'proved' 'a claim at the prompt' "$tegc" prove base.teg 'in every posture: tcp to self port 23 is dropped'
tells 2 'refuted
the claim:1:1' 'one that is refuted' "$tegc" prove base.teg 'in OPEN: tcp to self port 443 is dropped'
tells 4 'conditional
only if the source is blocked at run time' 'one that needs an assumption' "$tegc" prove base.teg 'in HALF..OPEN: tcp to self port 443 is allowed'
tells 4 'conditional
plain' 'a limit is an assumption too' "$tegc" prove base.teg 'in OPEN: tcp from office to self port 80 is allowed'
tells 4 'undecided' 'one that the budget does not suffice for' \
	"$tegc" prove --analysis-budget 5 base.teg 'in every posture: tcp to self port 23 is dropped'
tells 0 'proved' 'an order at the prompt' "$tegc" prove base.teg 'order SHUT <= OPEN'
tells 2 'HALF admits what SHUT does not' 'one that is not' "$tegc" prove base.teg 'order HALF <= SHUT'
tells 1 'error[E0403]' 'a word that no claim has' "$tegc" prove base.teg 'in OPEN: tcp is alowed'
tells 1 'error[E0101]' 'words that are no claim' "$tegc" prove base.teg 'allow tcp'
tells 0 'proved' 'of a bundle' "$tegc" prove claims.tegb 'in every posture: tcp to self port 23 is dropped'
tells 64 'usage' 'without a claim' "$tegc" prove base.teg

# --- in diffs -------------------------------------------------------------------------------
claims 'invariant no_telnet { in SHUT..OPEN: tcp to self port 23 is dropped }'
sed 's/^posture SHUT.*/posture SHUT { default drop\n late: allow tcp to self port 80\n}/; s/^posture HALF extends SHUT/posture HALF extends SHUT { without late/; s/without late { /without late\n/' claims.teg >broken.teg
tells 2 'CLAIM  low      order SHUT <= HALF   absent -> proved
CLAIM  low      invariant no_telnet   absent -> proved
proved: SHUT <= HALF <= OPEN holds; 1 invariant holds; nothing else changes' 'claims that come are told of' \
	sh -c "sed '/^order/d' base.teg >bare.teg && '$tegc' diff bare.teg claims.teg"
tells 2 'CLAIM  medium   invariant no_telnet   proved -> absent' 'claims that go are, too' \
	"$tegc" diff claims.teg base.teg
tells 3 'ORDER-BROKEN critical order SHUT <= HALF   proved -> broken by tcp 198.51.100.7:50000 -> self:80 syn
proved: 1 invariant holds; nothing else changes
!SHUT <= HALF <= OPEN holds' 'an order that the change breaks' "$tegc" diff --fail-on critical claims.teg broken.teg
sed 's/^posture HALF.*/posture HALF extends SHUT { web: allow tcp to self port [23, 443] }/' claims.teg >broken.teg
tells 3 'INVARIANT-BROKEN critical invariant no_telnet   proved -> broken by tcp 198.51.100.7:50000 -> self:23 syn
proved: SHUT <= HALF <= OPEN holds; nothing else changes' 'an invariant that the change breaks' \
	"$tegc" diff --fail-on critical claims.teg broken.teg
tells 0 'proved: SHUT <= HALF <= OPEN holds; 1 invariant holds; nothing changes' 'without a change, what holds' \
	"$tegc" diff claims.teg claims.teg
echo "1..$n"
