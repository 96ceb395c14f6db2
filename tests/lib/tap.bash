# What every script of claims shares: the programs, a folder of its own in $dir, and TAP.
#
#     cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
#     "$tegc" check edge.teg >"$dir/said" 2>&1; ok "a policy is fine" "$dir/said"
#     same "allow" "$(verdict_of edge.teg)" "and it admits"
#     empty "no row is missing" "$(missing_rows)"
#     skip "as root too" "needs root"
#     echo "1..$n"

case ${BUILD:=build} in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
root=$PWD tegc=$BUILD/tegc n=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# claim HELD CLAIM: HELD is an exit code; what tells more, on standard input, is only read where it is not 0.
claim() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - ${2//$'\n'/ }"; return; fi
	echo "not ok $n - ${2//$'\n'/ }"
	sed 's/^/# /'
}

# ok CLAIM [FILE]: holds when the last command did; FILE tells more.
ok() {
	claim $? "$1" <"${2:-/dev/null}"
}

# same WANT GOT CLAIM
same() {
	[ "$1" = "$2" ]
	claim $? "$3" <<<"expected: $1
     got: $2"
}

# empty CLAIM TEXT: nothing was found that is wrong.
empty() {
	[ -z "$2" ]
	claim $? "$1" <<<"$2"
}

# A slip of the pen in a script is no claim less: the plan no longer adds up.
command_not_found_handle() {
	echo "not ok - $1 is no command"
	return 127
}

skip() { # CLAIM WHY
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}
