#!/bin/bash
# The manual pages are well-formed, and they and the completions know every row: commands, options, settings, exit codes.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1

# Two lists are one; $dir/differ says what stands in which alone.
same_list() {
	diff <(sort -u "$1") <(sort -u "$2") > "$dir/differ"
}

# --- rows ---------------------------------------------------------------------------------

rows() { sed -n "s/^$1([A-Z_a-z]*, *\"*\([^\",]*\).*/\1/p" "$2"; }	# second column
tegc_commands() { rows COMMAND compiler/cmd/cmd.def; }
tegctl_commands() { rows COMMAND enforcer/ctl/command.def; }

# The long options of a command of tegc, from its table of struct option.
tegc_options() {
	local file=compiler/cmd/${1//-/_}.c

	[ -e "$file" ] || return
	grep -q COMPARISON_OPTIONS "$file" && file="$file compiler/cmd/comparison.h"
	grep -q CMD_POLICY_OPTIONS $file && printf '%s\n' --import-path --param --params
	grep -q CMD_REPORT_OPTIONS $file && printf '%s\n' --report --plain --color
	grep -ohE '\{ "[a-z-]+", [01], NULL' $file | sed 's/{ "/--/; s/".*//'
}
# What `tegc help` lists for a command.
tegc_helped() { "$tegc" help "$1" | grep -oE '^  (-[a-zI], )?--[a-z-]+' | sed 's/.* //'; }
# Options of tegctl that any command takes, or this one.
tegctl_options() {
	sed -n "s/^OPTION([a-z_]*, *\"\([a-z-]*\)\", *[^,]*, *\"\([a-z ]*\)\".*/--\1 \2 /p" enforcer/ctl/option.def |
		awk -v command="$1" 'NF == 1 || index($0, " " command " ") { print $1 }'
}
settings() { rows SETTING enforcer/proc/setting.def; }

# --- pages --------------------------------------------------------------------------------

# The first words of the list items of one kind (Cm, Fl) in a page.
items() { sed -n "s/^\.It $2 //p" "docs/man/$1" | grep -v '^-check$' | awk '{print $1}'; }
all_flags() { grep '^\.It Fl' "docs/man/$1" | grep -oE 'Fl -[a-z-]+' | sed 's/Fl -/--/'; }

for page in tegc.1 tegctl.1 tegd.8; do
	if command -v mandoc >/dev/null; then
		mandoc -Tlint -W warning "docs/man/$page" > "$dir/out" 2>&1
		ok "mandoc has no warning about $page" "$dir/out"
	else
		skip "mandoc has no warning about $page" "mandoc is not installed"
	fi
done

tegc_commands > "$dir/rows"
sed -n '/^\.Ss Commands/,/^\.El/s/^\.It Cm \([a-z-]*\).*/\1/p' docs/man/tegc.1 > "$dir/page"
same_list "$dir/rows" "$dir/page"; ok "tegc.1 has every command" "$dir/differ"
for c in $(tegc_commands); do tegc_options "$c"; done > "$dir/rows"
all_flags tegc.1 > "$dir/page"
same_list "$dir/rows" "$dir/page"; ok "tegc.1 has every option" "$dir/differ"
for c in $(tegc_commands); do tegc_options "$c" | sed "s/^/$c /"; done > "$dir/rows"
for c in $(tegc_commands); do tegc_helped "$c" | sed "s/^/$c /"; done > "$dir/page"
same_list "$dir/rows" "$dir/page"; ok "tegc help: every option of each command, and no other" "$dir/differ"
sed -n 's/^EXIT([A-Z_]*, *\([0-9]*\),.*/\1/p' lang/vocab/exit.def > "$dir/rows"
sed -n 's/^\.It \([0-9][0-9]*\)$/\1/p' docs/man/tegc.1 > "$dir/page"
same_list "$dir/rows" "$dir/page"; ok "tegc.1 has every exit code" "$dir/differ"
{ settings; printf '%s\n' config check settings foreground help version; } | sed 's/^/--/' > "$dir/rows"
all_flags tegd.8 > "$dir/page"
same_list "$dir/rows" "$dir/page"; ok "tegd.8 has every setting and option" "$dir/differ"
# --- the bundle ---------------------------------------------------------------------------

members() { sed -n '/member_rows\[\] = {/,/^}/s/^\t{ "\([^"]*\)".*/\1/p' lang/bundle/bundle.c; }
{ echo manifest; members; echo signature; } > "$dir/rows"
sed -n '/^| member /,/^$/s/^| `\([^`]*\)` .*/\1/p' docs/bundle.md > "$dir/page"
diff "$dir/rows" "$dir/page" > "$dir/differ"; ok "bundle.md has every member, in their order" "$dir/differ"
sed -n '1,/^ \*$/d; /^ \*$/q; s/^ \*     \([^ ]*\) .*/\1/p' lang/bundle/bundle.h > "$dir/page"
diff "$dir/rows" "$dir/page" > "$dir/differ"; ok "bundle.h has them too" "$dir/differ"
# --- completions --------------------------------------------------------------------------

# What bash would offer after these words; the last one is being typed.
offered() {
	bash --norc -c '
		compopt() { :; }
		tegctl() { printf "* BALANCED    for every day\n  LOCKDOWN    shut\n"; }
		. "$1"; f=$2; shift 2
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
		"$f"; printf "%s\n" "${COMPREPLY[@]}"' - "$@" | grep .
}
tegc_offers() { offered compiler/cmd/tegc.bash _tegc tegc "$@"; }
tegctl_offers() { offered enforcer/ctl/tegctl.bash _tegctl tegctl "$@"; }

{ tegc_commands; printf '%s\n' --help --version; } > "$dir/rows"
tegc_offers '' > "$dir/offered"
same_list "$dir/rows" "$dir/offered"; ok "tegc: every command is offered" "$dir/differ"
for c in $(tegc_commands); do tegc_options "$c" | sed "s/^/$c /"; done > "$dir/rows"
for c in $(tegc_commands); do tegc_offers "$c" -- | sed "s/^/$c /"; done > "$dir/offered"
same_list "$dir/rows" "$dir/offered"; ok "tegc: every option of each command, and no other" "$dir/differ"
tegctl_commands > "$dir/rows"
tegctl_offers --json '' > "$dir/offered"
same_list "$dir/rows" "$dir/offered"; ok "tegctl: every command is offered" "$dir/differ"
for c in $(tegctl_commands); do tegctl_options "$c" | sed "s/^/$c /"; done > "$dir/rows"
for c in $(tegctl_commands); do tegctl_offers "$c" -- | sed "s/^/$c /"; done > "$dir/offered"
same_list "$dir/rows" "$dir/offered"; ok "tegctl: every option of each command, and no other" "$dir/differ"
[ "$(tegctl_offers --reason 'some words' posture '' | xargs)" = "BALANCED LOCKDOWN" ]
ok "tegctl posture: the postures in force are offered"

cd "$dir" && mkdir sub && touch a.teg b.tegb c.key 'd e.teg' && cd "$root" || exit 1
for try in "build|a.teg, d e.teg, sub" "disasm|b.tegb, sub" "sign --key|c.key, sub" "diff --fail-on|critical, high, low, medium" "keygen|"; do
	got=$(cd "$dir" && bash --norc -c 'compopt() { :; }; . "$1"; shift; COMP_WORDS=("$@" "") COMP_CWORD=$# COMPREPLY=(); _tegc; printf "%s\n" "${COMPREPLY[@]}"' \
		- "$root/compiler/cmd/tegc.bash" tegc ${try%%|*} | sort | paste -sd, | sed 's/,/, /g')
	[ "$got" = "${try#*|}" ] || { echo "offered: $got" > "$dir/out"; false; }
	ok "tegc ${try%%|*}: offers ${try#*|}" "$dir/out"
done
echo "1..$n"
