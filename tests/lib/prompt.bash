# What tests of a program at the prompt share beside tap.bash: a command, its exit code, and what it said.
#
#     cd "$(dirname "$0")/../.." && . tests/lib/prompt.bash || exit 1
#     exits 0 "a policy is fine" "$tegc" check edge.teg
#     says "no errors" "and it says so"
#     tells 1 'error[E0403]' "a word that no claim has" "$tegc" prove edge.teg 'tcp is alowed'

. tests/lib/tap.bash

# exits CODE CLAIM COMMAND...: runs it in $dir; its words are in $out and $err.
exits() {
	local want=$1 claim=$2 rc
	shift 2
	(cd "$dir" && NO_COLOR=1 "$@" >out 2>err)
	rc=$?
	out=$(cat "$dir/out") err=$(cat "$dir/err")
	[ "$rc" = "$want" ]
	claim $? "$claim" <<<"expected exit $want, got $rc; $out $err"
}

says() { # WORDS CLAIM: on stdout or stderr
	[[ $out$err == *"$1"* ]]
	claim $? "$2" <<<"expected: $1
got: $out$err"
}

says_nothing_of() { # WORDS CLAIM
	[[ $out$err != *"$1"* ]]
	claim $? "$2" <<<"not expected: $1
got: $out$err"
}

# tells CODE WORDS CLAIM COMMAND...: the exit code, and each of WORDS (one a line; `!` before what must not
# be said) on stdout or stderr, which stay in $dir/said.
tells() {
	local want=$1 words=$2 claim=$3 code bad= line
	shift 3
	NO_COLOR=1 "$@" >"$dir/said" 2>&1
	code=$?
	[ "$code" = "$want" ] || bad="exit $code, expected $want"
	while IFS= read -r line; do
		case $line in
		'') ;;
		!*) grep -qF -- "${line#!}" "$dir/said" && bad="$bad; said: ${line#!}" ;;
		*) grep -qF -- "$line" "$dir/said" || bad="$bad; not said: $line" ;;
		esac
	done <<<"$words"
	[ -z "$bad" ]
	claim $? "$claim" < <(echo "$bad"; cat "$dir/said")
}
