# lab.sh - a small world in network namespaces, for the demo and the live tests. Source it.
#
#     lab_up                      the world stands; it goes away when the script ends, also when killed
#     at edge tegctl status       a command in a place: outside, edge or inside
#
#        outside                          edge                          inside
#     ┌────────────────┐       ┌────────────────────────┐       ┌──────────────────┐
#     │ client    .20  │       │ wan0          lan0     │       │                  │
#     │ attacker  .66  ├───────┤ 192.0.2.1     .129     ├───────┤ 192.0.2.130      │
#     │ owner, bogons  │       │ 2001:db8:1::1 :2::1    │       │ 2001:db8:2::130  │
#     └────────────────┘       └────────────────────────┘       └──────────────────┘
#
# Names carry the script's process id, so that runs do not meet; what killed
# runs left behind is swept away by the next.

CLIENT4=198.51.100.20   CLIENT6=2001:db8:51::20
ATTACKER4=198.51.100.66 ATTACKER6=2001:db8:51:66::66
OWNER4=203.0.113.9      OWNER6=2001:db8:10::9
BOGON4=10.9.9.9         BOGON6=fd00:9::9
EDGE4=192.0.2.1         EDGE6=2001:db8:1::1
INSIDE4=192.0.2.130     INSIDE6=2001:db8:2::130

LAB=teg-$$
LAB_DIR=${TMPDIR:-/tmp}/$LAB
PINS=/sys/fs/bpf/$LAB

at() {
	nsenter --net="/run/netns/$LAB-$1" "${@:2}"
}

# Ends every process of a namespace, then the namespace.
lab_end() {
	local place pids

	for place in outside edge inside; do
		[ -e "/run/netns/$1-$place" ] || continue
		pids=$(ip netns pids "$1-$place" 2>/dev/null)
		[ -n "$pids" ] && kill -9 $pids 2>/dev/null
		ip netns del "$1-$place"
	done
	rm -rf "/sys/fs/bpf/$1" "${TMPDIR:-/tmp}/$1"
}

lab_down() {
	trap - EXIT INT TERM HUP
	lab_end "$LAB"
}

# What runs that were killed left behind: their process is gone, and they did not ask to be kept.
lab_sweep() {
	local name pid

	for name in $(ls /run/netns 2>/dev/null | sed -n 's/^\(teg-[0-9]*\)-.*/\1/p' | sort -u); do
		pid=${name#teg-}
		kill -0 "$pid" 2>/dev/null || [ -e "${TMPDIR:-/tmp}/$name/kept" ] || lab_end "$name"
	done
}

lab_wire() {
	local a=$1 ifa=$2 b=$3 ifb=$4

	ip link add "$ifa" netns "$LAB-$a" type veth peer name "$ifb" netns "$LAB-$b"
	for side in "$a $ifa" "$b $ifb"; do
		set -- $side
		# What a veth leaves to its peer's hardware, no hardware does.
		at "$1" ethtool -K "$2" tx off gro off tso off gso off >/dev/null 2>&1
		at "$1" ip link set "$2" up
	done
}

lab_addresses() {
	local address

	for address in 192.0.2.126/25 $CLIENT4/32 $ATTACKER4/32 $OWNER4/32 $BOGON4/32; do
		at outside ip addr add "$address" dev out0
	done
	for address in 2001:db8:1::fe/64 $CLIENT6/128 $ATTACKER6/128 $OWNER6/128 $BOGON6/128; do
		at outside ip addr add "$address" dev out0 nodad
	done
	at edge ip addr add $EDGE4/25 dev wan0
	at edge ip addr add $EDGE6/64 dev wan0 nodad
	at edge ip addr add 192.0.2.129/25 dev lan0
	at edge ip addr add 2001:db8:2::1/64 dev lan0 nodad
	at inside ip addr add $INSIDE4/25 dev in0
	at inside ip addr add $INSIDE6/64 dev in0 nodad

	at outside ip route add 192.0.2.128/25 via $EDGE4
	at outside ip route add 2001:db8:2::/64 via $EDGE6
	at edge ip route add default via 192.0.2.126
	at edge ip route add default via 2001:db8:1::fe
	at inside ip route add default via 192.0.2.129
	at inside ip route add default via 2001:db8:2::1
}

lab_up() {
	local place

	[ "$(id -u)" = 0 ] || { echo "the lab makes network namespaces: it needs root" >&2; exit 77; }
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf || exit 69
	lab_sweep
	trap 'lab_down' EXIT
	trap 'exit 130' INT TERM HUP
	mkdir -p "$LAB_DIR"
	for place in outside edge inside; do
		ip netns add "$LAB-$place" || exit 69
		at "$place" ip link set lo up
		at "$place" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
			net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
	done
	at edge sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	lab_wire outside out0 edge wan0
	lab_wire inside in0 edge lan0
	lab_addresses
}

# serve PLACE PORT...: nginx, which answers "hello from PLACE"; waits until it does.
serve() {
	local place=$1 dir=$LAB_DIR/nginx-$1 port

	shift
	mkdir -p "$dir"
	{
		echo "daemon on; pid $dir/pid; error_log $dir/error.log; worker_processes 1;"
		echo "events { worker_connections 512; }"
		echo "http { access_log off; client_body_temp_path $dir; proxy_temp_path $dir;"
		echo "fastcgi_temp_path $dir; uwsgi_temp_path $dir; scgi_temp_path $dir;"
		echo "server {"
		for port in "$@"; do
			echo "listen $port; listen [::]:$port;"
		done
		echo "location / { return 200 \"hello from $place\\n\"; } } }"
	} > "$dir/conf"
	at "$place" nginx -e "$dir/error.log" -c "$dir/conf" || return 1
	eventually 5 at "$place" curl -sfo /dev/null "http://127.0.0.1:$1/"
}

# eventually SECONDS COMMAND...: true as soon as the command is.
eventually() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# fetch FROM TO [PORT]: a page, from one of the outside's addresses.
fetch() {
	local to=$2

	case $to in *:*) to="[$to]" ;; esac
	at outside curl -sf --connect-timeout 1 --max-time 2 --interface "$1" "http://$to:${3:-80}/"
}

# --- the programs ------------------------------------------------------------------------

: "${BUILD:=build}"

# tegd_launch FLAG...: without waiting until it answers
tegd_launch() {
	mkdir -p "$LAB_DIR/state" "$LAB_DIR/run"
	at edge "$BUILD/tegd" --state-dir "$LAB_DIR/state" --run-dir "$LAB_DIR/run" --pin-dir "$PINS" \
		"$@" >>"$LAB_DIR/tegd.log" 2>&1 &
	TEGD=$!
	disown
}

tegd_start() {
	tegd_launch "$@"
	eventually 10 tegctl status || { cat "$LAB_DIR/tegd.log" >&2; return 1; }
}

# Its processes: the warden and the api.
tegd_pids() {
	pgrep -f "tegd .*--pin-dir $PINS"
}

tegctl() {
	"$BUILD/tegctl" --socket "$LAB_DIR/run/api.sock" "$@"
}

# All of them at once, without a word.
tegd_kill() {
	kill -9 $(tegd_pids) 2>/dev/null
	eventually 5 sh -c "! kill -0 $TEGD 2>/dev/null"
}

# counter ID: packets counted under a stable id.
counter() {
	tegctl metrics | awk -v id="id=\"$1\"" '/^tegumentar_rule_packets_total/ && index($0, id) { n += $NF } END { printf "%d\n", n }'
}
