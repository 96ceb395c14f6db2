#!/bin/bash
# The README's first policy, and its commands as they stand there, on a host of its own.
set -u
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
: "${BUILD:=build}"
if [ -z "${TEG_README-}" ]; then
	exec env TEG_README=1 unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi

tree=$PWD host=/mnt n=0 bad=0
claim() { # claim WORDS COMMAND...
	n=$((n + 1))
	if "${@:2}" >$host/said 2>&1; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		tail -n 5 $host/said | sed 's/^/# /'
		bad=1
	fi
}

# Where tegd keeps things, and an eth0.
mount -t tmpfs tmpfs $host && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib &&
	mount -t bpf bpf /sys/fs/bpf && ip link set lo up && ip link add eth0 type veth peer name far &&
	ip link set eth0 up && ip link set far up || { echo "Bail out! no host"; exit 1; }
ln -s "$(realpath "$BUILD")" $host/build
# The commands stand before the reader as root's.
sudo() { "$@"; }

awk '/^```teg$/ { on = 1; next } /^```$/ { if (on) exit } on' README.md > $host/web.teg
claim "the first policy is a dozen lines and more" [ "$(wc -l < $host/web.teg)" -ge 12 ]
claim "and in its canonical form" "$BUILD/tegc" fmt --check $host/web.teg

cd $host || exit 1
answers() { until build/tegctl status; do kill -0 $tegd || return; sleep 0.1; done; } # however slow the machine, as long as tegd lives
commands=$(awk '/^```/ { on = !on; next } on && /^(sudo )?build\//' "$tree/README.md")
claim "five commands follow" [ "$(wc -l <<<"$commands")" = 5 ]
while read -r line; do
	case $line in
	*'&')
		eval "${line%&}" >$host/tegd.log 2>&1 &
		tegd=$!
		claim "$line" answers ;;
	*) claim "$line" eval "$line" ;;
	esac
done <<<"$commands"
claim "then it is in force" sh -c 'build/tegctl --json status | jq -e ".posture == \"CLOSED\" and .intact and .policy.name == \"web\""'

cd "$tree" || exit 1
broken=$(grep -ohE '\]\([a-zA-Z0-9/._-]+\)' README.md docs/*.md docs/decisions/*.md |
	sed 's/^](//; s/)$//' | sort -u | while read -r link; do
	[ -e "$link" ] || [ -e "docs/$link" ] || [ -e "docs/decisions/$link" ] || echo "$link"
done)
claim "every link of the pages leads somewhere" sh -c 'echo "$0"; [ -z "$0" ]' "$broken"

# A heading as links name it: without links of its own and punctuation.
anchors() {
	sed -n 's/^##* //p' "$1" | sed 's/\[\([^]]*\)\]([^)]*)/\1/g' | tr 'A-Z' 'a-z' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}
lost=$(grep -oE '\]\([a-zA-Z0-9/._-]*#[^)]+\)' README.md docs/*.md docs/decisions/*.md | sort -u | while IFS=: read -r page link; do
	link=${link#](}
	link=${link%)}
	to=$page
	[ -z "${link%%#*}" ] || to=${page%"${page##*/}"}${link%%#*}
	anchors "$to" | grep -qxF -e "${link#*#}" || echo "$page: $link"
done)
claim "every link to a heading finds it" sh -c 'echo "$0"; [ -z "$0" ]' "$lost"
echo "1..$n"
exit $bad
