# What golden tests of a program at the prompt share: a folder of their own in $dir, TAP, and what was said.
#
#     . tests/lib/prompt.bash          # from the tree's top
#     exits 0 "a policy is fine" "$tegc" check edge.teg
#     says "no errors" "and it says so"
#     echo "1..$n"

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
