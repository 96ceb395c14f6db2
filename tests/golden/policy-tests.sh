#!/bin/bash
# tegc test, coverage and mutants: docs/policy-tests.md shows what is said.
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

says() { # WORDS CLAIM
	case "$out$err" in *"$1"*) ok 0 "$2" ;; *) ok 1 "$2" "expected: $1
got: $out$err" ;; esac
}

says_nothing_of() { # WORDS CLAIM
	case "$out$err" in *"$1"*) ok 1 "$2" "not expected: $1
got: $out$err" ;; *) ok 0 "$2" ;; esac
}

page=docs/policy-tests.md
awk '/^```teg$/ { on = 1; next } /^```/ { on = 0 } on' $page >"$dir/shop.teg"
awk '/^```console$/ { on = 1; next } /^```/ { on = 0 } on' $page >"$dir/console"
awk -v dir="$dir" '/^\$ tegc / { i++; sub(/^\$ tegc /, ""); print > (dir "/command." i); next } { print > (dir "/want." i) }' "$dir/console"
for i in 1 2 3; do
	read -ra words <"$dir/command.$i"
	(cd "$dir" && "$tegc" "${words[@]}" >out 2>&1)
	diff "$dir/want.$i" "$dir/out" >"$dir/differ"
	ok $? "the page shows what is said: tegc ${words[*]}" "$(cat "$dir/differ")"
done

exits 0 "coverage alone is no verdict" "$tegc" test --coverage shop.teg
says "4 of 8 rules decide packets of tests" "and counts"
says_nothing_of "WEB.dns " "and names only the rules that decided none"
exits 2 "a mutant that survives is 2" "$tegc" test --mutants shop.teg

# A test that fails comes first; a policy whose every rule is tested has no survivor.
sed 's/self:22 syn on wan  => drop/self:22 syn on wan  => allow/' "$dir/shop.teg" >"$dir/failing.teg"
exits 2 "a failing test is 2" "$tegc" test --mutants --coverage failing.teg
says_nothing_of mutants "and then nothing is mutated"
cat >"$dir/small.teg" <<'TEG'
posture ALL {
    default drop
    ssh: allow tcp to self port 22
}

test "all of it" {
    posture ALL
    tcp 192.0.2.1:1 -> self:22          => allow by ssh
    tcp 192.0.2.1:1 -> self:23          => drop
    udp 192.0.2.1:1 -> self:22          => drop
    tcp 192.0.2.1:1 -> 192.0.2.9:22     => drop
    tcp 192.0.2.1:1 -> 192.0.2.9:22 forward => drop
    tcp 192.0.2.9:1 -> 192.0.2.1:22 out => drop
}
TEG
exits 0 "a policy whose tests notice everything is 0" "$tegc" test --mutants small.teg
says "small.teg: 7 mutants: 7 noticed, 0 without effect, 0 not noticed" "and says so"
sed -i '/forward => drop/d' "$dir/small.teg"
exits 2 "one packet less" "$tegc" test --mutants small.teg
says "small.teg:2:5  ALL.default.forward  allow instead of drop" "and it is missed"

# The same rule before another posture's: reach is counted for the rule as it was written.
exits 0 "coverage of all rules" "$tegc" test --coverage --all shop.teg
says "shop.teg:13:5  WEB.web" "the rule of one posture"
says "shop.teg:19:5  HARDENED.web" "and the one that replaces it in another are two"

echo "1..$n"
