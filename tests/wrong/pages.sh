#!/bin/bash
# Each kind of diagnostic has a page in docs/errors; its wrong policy yields that
# code and no other, its right one none.
set -u
cd "$(dirname "$0")/../.." || exit 1
tegc=${BUILD:-build}/tegc
case $tegc in /*) ;; *) tegc=$PWD/$tegc ;; esac
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0

claim() { # held, words
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$dir/said"; fi
}

# The fenced policy of a kind (wrong, right) on a page: its text into a file, its options to stdout.
extract() {
	awk -v kind="$2" -v to="$dir/$2.teg" '
		!inside && $1 == "```teg" && $2 == kind { inside = 1; $1 = $2 = ""; print; next }
		inside && $1 == "```" { exit }
		inside { print > to }' "$1"
}

ask() { # command words; the codes that are said, each once
	(cd "$dir" && "$tegc" "$@") >"$dir/said" 2>&1
	grep -oE '^(error|warning)\[E[0-9]+\]' "$dir/said" | grep -oE 'E[0-9]+' | sort -u | tr '\n' ' '
}

# A page shows one thing, and its names need no use beside it.
but_unused() { # code, what was said
	if [ "$1" = E0212 ]; then echo "$2"; else echo "${2//E0212 /}"; fi
}

command_of() { # tests fail when they run, everything else when it is read
	case $1 in E0809 | E0810 | E0814) echo test ;; *) echo check ;; esac
}

for code in $(grep -ohE '"E[0-9]{4}"' lang/syntax/diag.def | tr -d '"'); do
	page=docs/errors/$code.md
	: >"$dir/said"
	[ -e "$page" ]
	claim $? "$code has a page"
	[ -e "$page" ] || continue
	[ "$(head -1 "$page")" = "# $code: $(sed -n "s/.*\"$code\", [A-Z]*, \"\(.*\)\")/\1/p" lang/syntax/diag.def)" ]
	claim $? "$code: the page has the title of the row"
	grep -q '^```teg wrong' "$page" || continue
	rm -f "$dir"/*.teg
	read -ra options < <(extract "$page" wrong)
	said=$(ask "$(command_of "$code")" "${options[@]}" wrong.teg)
	said=$(but_unused "$code" "$said")
	[ "$code" = E0925 ] && said=${said#E0402 } # what a step can break also holds only while nobody is blocked
	[ "$said" = "$code " ]
	claim $? "$code: the wrong policy is told so (said: ${said:-nothing})"
	read -ra options < <(extract "$page" right)
	said=$(ask "$(command_of "$code")" "${options[@]}" right.teg)
	said=$(but_unused "$code" "$said")
	[ -z "$said" ]
	claim $? "$code: the right policy is right (said: ${said:-nothing})"
	[ "$(command_of "$code")" = test ] && continue
	(cd "$dir" && "$tegc" fmt right.teg && "$tegc" check "${options[@]}" right.teg) >"$dir/said" 2>&1
	claim $? "$code: the right policy stays right in its one spelling"
done
echo "1..$n"
