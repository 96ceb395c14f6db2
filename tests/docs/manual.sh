#!/bin/bash
# The manual pages are well-formed, and they and the completions know every row: commands, options, settings, exit codes.
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0

ok() {
	local rc=$?
	n=$((n + 1))
	[ $rc = 0 ] && { echo "ok $n - $1"; return; }
	echo "not ok $n - $1"
	sed 's/^/# /' "${2:-/dev/null}"
}
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }

# Two lists are one; $tmp/differ says what stands in which alone.
same_list() {
	diff <(sort -u "$1") <(sort -u "$2") > "$tmp/differ"
}

# --- rows ---------------------------------------------------------------------------------

rows() { sed -n "s/^$1([A-Z_a-z]*, *\"*\([^\",]*\).*/\1/p" "$2"; }	# second column
tegc_commands() { rows COMMAND compiler/cmd/cmd.def; }
tegctl_commands() { rows COMMAND enforcer/ctl/command.def; }

# The long options of a command of tegc, from its table of struct option.
tegc_options() {
	local file=compiler/cmd/${1//-/_}.c

	[ -e "$file" ] || return
	grep -q CMD_POLICY_OPTIONS "$file" && printf '%s\n' --import-path --param --params
	grep -q CMD_REPORT_OPTIONS "$file" && printf '%s\n' --report --plain --color
	grep -oE '\{ "[a-z-]+", [01], NULL' "$file" | sed 's/{ "/--/; s/".*//'
}
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
		mandoc -Tlint -W warning "docs/man/$page" > "$tmp/out" 2>&1
		ok "mandoc has no warning about $page" "$tmp/out"
	else
		skip "mandoc has no warning about $page" "mandoc is not installed"
	fi
done

tegc_commands > "$tmp/rows"
sed -n '/^\.Ss Commands/,/^\.El/s/^\.It Cm \([a-z-]*\).*/\1/p' docs/man/tegc.1 > "$tmp/page"
same_list "$tmp/rows" "$tmp/page"; ok "tegc.1 has every command" "$tmp/differ"
for c in $(tegc_commands); do tegc_options "$c"; done > "$tmp/rows"
all_flags tegc.1 > "$tmp/page"
same_list "$tmp/rows" "$tmp/page"; ok "tegc.1 has every option" "$tmp/differ"
sed -n 's/^EXIT([A-Z_]*, *\([0-9]*\),.*/\1/p' lang/vocab/exit.def > "$tmp/rows"
sed -n 's/^\.It \([0-9][0-9]*\)$/\1/p' docs/man/tegc.1 > "$tmp/page"
same_list "$tmp/rows" "$tmp/page"; ok "tegc.1 has every exit code" "$tmp/differ"
{ settings; printf '%s\n' config check settings foreground help version; } | sed 's/^/--/' > "$tmp/rows"
all_flags tegd.8 > "$tmp/page"
same_list "$tmp/rows" "$tmp/page"; ok "tegd.8 has every setting and option" "$tmp/differ"
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

{ tegc_commands; printf '%s\n' --help --version; } > "$tmp/rows"
tegc_offers '' > "$tmp/offered"
same_list "$tmp/rows" "$tmp/offered"; ok "tegc: every command is offered" "$tmp/differ"
for c in $(tegc_commands); do tegc_options "$c" | sed "s/^/$c /"; done > "$tmp/rows"
for c in $(tegc_commands); do tegc_offers "$c" -- | sed "s/^/$c /"; done > "$tmp/offered"
same_list "$tmp/rows" "$tmp/offered"; ok "tegc: every option of each command, and no other" "$tmp/differ"
tegctl_commands > "$tmp/rows"
tegctl_offers --json '' > "$tmp/offered"
same_list "$tmp/rows" "$tmp/offered"; ok "tegctl: every command is offered" "$tmp/differ"
for c in $(tegctl_commands); do tegctl_options "$c" | sed "s/^/$c /"; done > "$tmp/rows"
for c in $(tegctl_commands); do tegctl_offers "$c" -- | sed "s/^/$c /"; done > "$tmp/offered"
same_list "$tmp/rows" "$tmp/offered"; ok "tegctl: every option of each command, and no other" "$tmp/differ"
[ "$(tegctl_offers --reason 'some words' posture '' | xargs)" = "BALANCED LOCKDOWN" ]
ok "tegctl posture: the postures in force are offered"

root=$PWD
cd "$tmp" && mkdir sub && touch a.teg b.tegb c.key 'd e.teg' && cd "$root" || exit 1
for try in "build|a.teg, d e.teg, sub" "disasm|b.tegb, sub" "sign --key|c.key, sub" "diff --fail-on|critical, high, low, medium" "keygen|"; do
	got=$(cd "$tmp" && bash --norc -c 'compopt() { :; }; . "$1"; shift; COMP_WORDS=("$@" "") COMP_CWORD=$# COMPREPLY=(); _tegc; printf "%s\n" "${COMPREPLY[@]}"' \
		- "$root/compiler/cmd/tegc.bash" tegc ${try%%|*} | sort | paste -sd, | sed 's/,/, /g')
	[ "$got" = "${try#*|}" ] || { echo "offered: $got" > "$tmp/out"; false; }
	ok "tegc ${try%%|*}: offers ${try#*|}" "$tmp/out"
done
echo "1..$n"
