# A lab of a live test's own: the edge host, which this shell is on, and an
# outside behind the link w0. Everything is in namespaces without names and on
# file systems without a device, so all of it is gone when the test is, however
# that ends.
#
#     . tests/lib/live.bash            # starts the test anew inside
#     tegd_start --engine nft
#     is "$(reaches 80)" open "the web server answers"
#     done_testing

: "${BUILD:=build}" "${TEST_PATIENCE:=0.4}" # seconds after which what has not answered does not
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
. tests/lib/linux.bash
if [ -z "${TEG_LIVE-}" ]; then
	exec env TEG_LIVE=1 unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi

lab=/mnt
mount -t tmpfs tmpfs $lab && mkdir -p /run/netns $lab/bpf && mount -t tmpfs tmpfs /run/netns &&
	mount -t bpf bpf $lab/bpf && mount --bind $lab/bpf /sys/fs/bpf && ip netns add outside || { echo "Bail out! no namespaces"; exit 1; }
outside() { nsenter --net=/run/netns/outside "$@"; }

ip link set lo up
# A cable: a veth; or, in a machine of tests/vm/run that has them (TEG_VM_CARDS), two network cards, which come and go with the test.
cards=/tmp/teg-cards
card_named() { nsenter --net=$cards ip -o link | sed -n "s/^[0-9]*: \([^:@]*\).* 52:54:00:00:00:0$1 .*/\1/p"; }
card() { # card NUMBER NAME PLACE, as it was when it came; whoever had it before may still be ending
	local name= i

	for i in $(seq 100); do name=$(card_named "$1") && [ -n "$name" ] && break; sleep 0.1; done
	nsenter --net=$cards sh -c "ip link set $name down mtu 1500 && ip link set $name name $2 && ip link set $2 netns $3"
}
if [ -e $cards ]; then
	card 1 w0 $$ && card 2 c0 outside || { echo "Bail out! no cards"; exit 1; }
else
	many=${queues:+numtxqueues $queues numrxqueues $queues} # queues=N before this file: so many, each way
	ip link add name w0 $many type veth peer name c0 $many netns outside
fi
ip addr add 10.9.0.1/24 dev w0
ip addr add fd00:9::1/64 dev w0 nodad
ip link set w0 up
ip route add 203.0.113.0/24 dev w0
for address in 10.9.0.2/24 10.9.0.3/24 203.0.113.5/24; do ip -n outside addr add $address dev c0; done
ip -n outside addr add fd00:9::2/64 dev c0 nodad
ip -n outside link set c0 up

# ---- TAP -------------------------------------------------------------------

said=0 failed=0
ok() { # ok CLAIM COMMAND...
	said=$((said + 1))
	if "${@:2}" >$lab/answer 2>&1; then
		echo "ok $said - $1"
	else
		echo "not ok $said - $1"
		failed=$((failed + 1))
		echo "# failed: ${*:2}"
		tail -qn 5 $lab/answer $lab/log 2>/dev/null | sed 's/^/# /'
	fi
}
same() { [ "$1" = "$2" ] || { echo "want: $2"; echo "got:  $1"; false; }; }
is() { ok "$3" same "$1" "$2"; } # is GOT WANT CLAIM
soon() { # soon WANT COMMAND...: it says so, within some seconds: events take a moment
	local i
	for i in $(seq 500); do [ "$("${@:2}")" = "$1" ] && break; sleep 0.02; done
	same "$("${@:2}")" "$1"
}
has() { case $1 in *"$2"*) ;; *) echo "# want: …$2…"; echo "# got:  $1"; false ;; esac; }
holds() { ok "$3" has "$1" "$2"; } # holds TEXT PART CLAIM
sanitizers_are_silent() { ! grep -E "Sanitizer|runtime error" $lab/log; }
done_testing() {
	[ -z "$tegd_pid" ] || tegd_end TERM
	ok "memory was used as it may be (told by the sanitizers, when built with them)" sanitizers_are_silent
	echo "1..$said"
	exit $((failed > 0))
}

# ---- tegd --------------------------------------------------------------------

tegd_pid= tegd= # another tegd than $BUILD/tegd, for tests of upgrades
tegd_start() { # tegd_start FLAG...
	"${tegd:-$BUILD/tegd}" --state-dir $lab/state --run-dir $lab/run --pin-dir $lab/bpf/teg "$@" >>$lab/log 2>&1 &
	tegd_pid=$!
	local i
	for i in $(seq 1500); do
		ctl status >/dev/null 2>&1 && return
		kill -0 $tegd_pid 2>/dev/null || break
		sleep 0.02
	done
	echo "# tegd does not answer:"
	sed 's/^/# /' $lab/log
	return 1
}
tegd_end() { # tegd_end SIGNAL
	kill "-$1" $tegd_pid
	wait $tegd_pid 2>/dev/null
	tegd_pid=
}
ctl() { "$BUILD/tegctl" --socket $lab/run/api.sock "$@"; }
pinned() { find $lab/bpf/teg -regextype posix-extended -regex ".*/$1_[0-9]+"; } # pinned NAME: its pin, of whatever layout
status() { ctl --json status | jq -r "$1"; } # status FILTER
counter() { ctl metrics | sed -n "s/^tegumentar_rule_packets_total{id=\"$1\",.*} //p"; }

# ---- traffic -------------------------------------------------------------------

servers() { # servers PORT...: something that accepts, over both IP versions
	local port
	for port; do
		nc -4 -lk "$port" </dev/null >/dev/null 2>&1 &
		nc -6 -lk "$port" </dev/null >/dev/null 2>&1 &
	done
	for port; do until ss -Hltn "sport = $port" | grep -q . ; do sleep 0.02; done; done
}
reaches() { # reaches PORT [ADDRESS]: from the outside; "open" or "shut"
	outside timeout "$TEST_PATIENCE" bash -c "exec 3<>/dev/tcp/${2-10.9.0.1}/$1" 2>/dev/null && echo open || echo shut
}
pings() { outside ping -c1 -W"$TEST_PATIENCE" -q "${@:2}" "$1" >/dev/null 2>&1 && echo answered || echo silent; }

# ---- frames that no client sends ---------------------------------------------------

mac() { ip -j link show w0 | jq -r '.[0].address'; }
# What counts: rules by their id, frames without a rule by their cause.
counted() {
	ctl metrics | awk -v name="\"$1\"" '/^tegumentar_(rule|unjudged)_packets_total/ && index($0, name) { n += $NF } END { print n + 0 }'
}
moved() { # moved NAME FRAME [LEAST]: by how much, when three of it are sent; waits for so many
	local before i

	before=$(counted "$1")
	outside tests/lib/frame.py c0 "$(mac)" "$2"
	for i in $(seq 250); do [ $(($(counted "$1") - before)) -ge "${3-3}" ] && break; sleep 0.02; done
	echo $(($(counted "$1") - before))
}
counts() { is "$(moved "$1" "$2")" 3 "$3"; } # counts NAME FRAME CLAIM

# Nothing of a tegd that has ended is left, so that another engine begins as on a new host.
forget() {
	rm -rf $lab/state $lab/bpf/teg
	local link
	for link in $(ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/'); do tc qdisc del dev $link clsact 2>/dev/null; done
	nft flush ruleset
	until [ "$(bpftool -j net show | jq '[.[] | .xdp + .tc | length] | add')" = 0 ]; do sleep 0.02; done
}

# ---- policies ---------------------------------------------------------------------

# bundle OUT [SED-SCRIPT]: tests/live/edge.teg, altered
bundle() {
	sed "${2-}" tests/live/edge.teg > $lab/edge.teg
	"$BUILD/tegc" build $lab/edge.teg -o "$1" || { echo "Bail out! tegc cannot build tests/live/edge.teg"; exit 1; }
}
