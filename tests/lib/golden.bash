# What every script of golden files shares: what is expected stands beside a policy, and is made anew by `rewrite` (tests/golden).
#
#     cd "$(dirname "$0")/forms" && . ../../lib/golden.bash || exit 1
#     golden edge.fmt "$("$tegc" fmt - <edge.teg)" "edge: the one spelling"
#     golden_done
n=0
tegc=${BUILD:=build}/tegc
case $tegc in /*) ;; *) tegc=$(dirname "${BASH_SOURCE[0]}")/../../$tegc ;; esac
bundle=$(mktemp) || exit 1
trap 'rm -f "$bundle"' EXIT

golden() { # FILE GOT CLAIM
	n=$((n + 1))
	if [ "${REWRITE-}" ]; then
		printf '%s\n' "$2" >"$1"
	elif [ "$2" = "$(cat "$1" 2>/dev/null)" ]; then
		echo "ok $n - $3"
	else
		echo "not ok $n - $3"
		diff "$1" - <<<"$2" 2>&1 | sed 's/^/# /'
	fi
}

golden_done() { [ "${REWRITE-}" ] || echo "1..$n"; }
