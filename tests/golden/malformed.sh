#!/bin/bash
# `malformed`: which frames that cannot be read a posture lets go on; inherited, ordered, told when it changes.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
cd "$dir" || exit 1

policy() { # policy FILE LINES-OF-WIDE LINES-OF-TIGHT
	printf 'policy edge\nzone wan = "eth0"\nposture WIDE {\n    default drop\n%s\n}\nposture TIGHT extends WIDE {\n    default drop\n%s\n}\ninitial posture WIDE\norder TIGHT <= WIDE\n' "$2" "$3" >"$1"
}
passes() { # passes FILE: what each posture of the bundle lets go on
	"$tegc" build "$1" -o built.tegb >said 2>&1 && "$tegc" disasm built.tegb |
		awk '/^postures/ { on = 1; next } on && !NF { exit } on && /^    [A-Z]/ { name = $1 } on && /malformed/ { sub(/.*malformed pass /, ""); print name ": " $0 }'
}
said() { "$tegc" check --no-proofs "$@" 2>&1 | sed -n 's/^error.\(E[0-9]*\).*/\1/p' | tr '\n' ' '; }

policy plain.teg '' ''
same "" "$(passes plain.teg)" "none unless said"
policy some.teg '    malformed pass vlan-depth, payload' ''
same "WIDE: vlan-depth, payload
TIGHT: vlan-depth, payload" "$(passes some.teg)" "what is said is inherited"
policy less.teg '    malformed pass vlan-depth, payload' '    malformed drop payload'
same "WIDE: vlan-depth, payload
TIGHT: vlan-depth" "$(passes less.teg)" "and taken back by name"
policy none.teg '    malformed pass' '    malformed drop'
same "WIDE: vlan-depth, extensions, short-l4, bad-tcp, payload, bad-fragment, tiny-fragment, overlap, bad-udp, short-inner, bad-inner, foreign-inner" \
	"$(passes none.teg)" "all of them, and none"
policy named.teg '    malformed drop bad-tcp
    malformed pass' '    malformed drop'
same 0 "$(passes named.teg | grep -c bad-tcp)" "what is named outranks what is said of all, wherever it stands"

policy wrong.teg '' '    malformed pass vlan-depth'
same "E0411 " "$(said wrong.teg)" "a tighter posture passes nothing that a wider one drops"
policy wrong.teg '    malformed pass bad-ip' ''
same "E0741 " "$(said wrong.teg)" "what the kernel drops cannot be passed"
policy wrong.teg '    malformed pass vlan-deep' ''
same "E0741 " "$(said wrong.teg)" "nor what there is not"
policy wrong.teg '    malformed keep vlan-depth' ''
same "E0741 " "$(said wrong.teg)" "pass and drop, and nothing else"
policy wrong.teg '    malformed pass payload, payload' ''
same "E0717 " "$(said wrong.teg)" "once"
policy wrong.teg '    malformed pass
    malformed drop' ''
same "E0717 " "$(said wrong.teg)" "once of all"

"$tegc" fmt - <some.teg >again.teg && "$tegc" fmt - <again.teg | diff again.teg - >/dev/null && grep -q '^    malformed pass vlan-depth, payload$' again.teg
ok "fmt spells it in one way"
same "MALFORMED medium   posture TIGHT   drop -> pass vlan-depth, payload" "$("$tegc" diff plain.teg some.teg | grep '^MALFORMED.*TIGHT ')" "diff tells what passes now"
"$tegc" no-new-access plain.teg some.teg >said 2>&1
same 1 $(($? != 0)) "and it is new access"
"$tegc" no-new-access some.teg plain.teg >said 2>&1
ok "to drop what passed is none" said
same 1 "$(passes some.teg >/dev/null; "$tegc" disasm built.tegb | grep -c 'name "passed.vlan-depth" accept')" "nft has one chain for the postures that agree"
echo "1..$n"
