#!/bin/bash
# tegc explain: the page on a diagnostic.
set -u
cd "$(dirname "$0")/../.." || exit 1
tegc=$PWD/${BUILD:-build}/tegc
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0

ok() { # HELD CLAIM [NOTE]
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		printf '%s\n' "${3-}" | sed 's/^/# /'
	fi
}

# exits CODE CLAIM COMMAND...: runs it in $dir; its words are in $out and $err.
exits() {
	local want=$1 claim=$2 rc
	shift 2
	(cd "$dir" && NO_COLOR=1 "$@" >out 2>err)
	rc=$?
	out=$(cat "$dir/out") err=$(cat "$dir/err")
	[ "$rc" = "$want" ]
	ok $? "$claim" "expected exit $want, got $rc; $out $err"
}

says() { # WORDS CLAIM: on stdout or stderr
	case "$out$err" in *"$1"*) ok 0 "$2" ;; *) ok 1 "$2" "expected: $1
got: $out$err" ;; esac
}

# --- a diagnostic's page --------------------------------------------------------------

# The policies of a page, from the file and from what is shown: without fences, without indentation.
of_file() { awk '/^```teg/ { on = 1; next } /^```/ { on = 0 } on && NF { print }' "docs/errors/$1.md"; }
of_shown() { sed -n 's/^    //p'; }

exits 0 "explain --list" "$tegc" explain --list
diff <(sed -nE 's/^DIAG\([A-Z0-9_]+, "(E[0-9]+)", [A-Z]+, "(.*)"\)$/\1  \2/p' lang/syntax/diag.def) <(echo "$out") >"$dir/differ"
ok $? "lists every row of diag.def" "$(cat "$dir/differ")"
for code in $(echo "$out" | cut -d' ' -f1); do
	"$tegc" explain "$code" >"$dir/shown" || echo "$code: exit $?"
	[ "$(head -1 "$dir/shown")" = "$(sed -n '1s/^# //p' "docs/errors/$code.md")" ] || echo "$code: its title"
	diff <(of_file "$code") <(of_shown <"$dir/shown" | grep .) >/dev/null || echo "$code: its policies"
	grep -q '^```' "$dir/shown" && echo "$code: a fence"
done >"$dir/wrong"
[ ! -s "$dir/wrong" ]
ok $? "each is explained with the title and the policies of its page" "$(cat "$dir/wrong")"
exits 0 "letters may be small" "$tegc" explain e0810
says "E0810: a packet that leaves out what decides" "and mean the same"
exits 64 "an unknown code is 64" "$tegc" explain E0815
says 'did you mean `E0' "with the one that was meant"
exits 64 "explain wants something" "$tegc" explain
exits 64 "one thing" "$tegc" explain E0810 E0809
exits 64 "and not both" "$tegc" explain --list E0810

echo "1..$n"
