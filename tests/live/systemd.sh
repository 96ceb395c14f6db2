#!/bin/bash
# The units under a real systemd: process 1 of a container that is this machine, seen through an overlay, with a network of its own.
. tests/lib/live.bash

cannot() { echo "1..0 # SKIP $1"; exit 0; }
[ -x /usr/lib/systemd/systemd ] || cannot "systemd is not installed"
root=$lab/root
# A control group below the one that we are in, in each tree that there is: process 1 takes what is its root for its own.
groups=$(while IFS=: read -r _ tree path; do
	case $tree in name=*) at=/sys/fs/cgroup/${tree#name=} ;; '') at=/sys/fs/cgroup/unified; [ -d $at ] || at=/sys/fs/cgroup ;; *) at=/sys/fs/cgroup/$tree ;; esac
	[ -w "$at$path/cgroup.procs" ] && mkdir "$at${path%/}/teg-systemd-$RANDOM-$$" 2>/dev/null && ls -d "$at${path%/}"/teg-systemd-*-$$
done < /proc/self/cgroup)
[ "$groups" ] || cannot "no control group can be made"
legacy=$(grep -c systemd/teg- <<<"$groups")
gone() { # and nothing is left of it
	local group i
	[ -z "${container-}" ] || { kill -KILL $container; wait $container; }
	for group in $groups; do
		for i in $(seq 100); do find $group -depth -type d -exec rmdir {} \; ; [ -d $group ] || break; sleep 0.05; done
	done
} 2>/dev/null
trap gone EXIT
mkdir -p $lab/over/up $lab/over/work $root
mount -t overlay overlay -o lowerdir=/,upperdir=$lab/over/up,workdir=$lab/over/work $root 2>/dev/null || cannot "no overlay can be mounted"

# --- what is installed (tests/docs/install.sh looks whether `make install` puts it there)
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/'
cp $lab/one.tegb $lab/two.tegb $root/
units=$root/usr/lib/systemd/system
install -D -t $root/usr/sbin "$BUILD/tegd"
install -D -t $root/usr/bin "$BUILD/tegctl"
install -D -m 644 -t $units enforcer/systemd/tegd.service enforcer/systemd/tegd.socket
install -D -m 644 enforcer/systemd/tegumentar.sysusers $root/usr/lib/sysusers.d/tegumentar.conf
rm -rf $root/etc/systemd/system/* $root/var/lib/tegumentar
mkdir -p $root/etc/systemd/system/tegd.service.d
printf '[Unit]\nDefaultDependencies=no\n' > $root/etc/systemd/system/quiet.target
ln -s /dev/null $root/etc/systemd/system/systemd-journald.service # nobody reads what it would
# Of a build with the sanitizers: leaks cannot be looked for within the calls that the unit allows.
printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nStandardError=append:/tegd.log\nWatchdogSec=6s\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' > $root/etc/systemd/system/tegd.service.d/test.conf

cat > $lab/container <<'END'
cd $1 || exit 1
mount -t proc proc proc && mount -t sysfs -o ro sysfs sys && mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs tmp && mount -t tmpfs tmpfs dev || exit 1
for n in null zero full random urandom tty; do touch dev/$n; mount --bind /dev/$n dev/$n; done
mkdir dev/pts dev/shm && ln -s pts/ptmx dev/ptmx && touch dev/console && mount --bind /dev/null dev/console
mount -t bpf bpf sys/fs/bpf
if [ $2 != 0 ]; then
	mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup && mkdir sys/fs/cgroup/systemd && mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
else
	mount -t cgroup2 cgroup2 sys/fs/cgroup
fi
chroot . systemd-sysusers tegumentar.conf
ip link set lo up; ip link add w0 type veth peer name c0; ip link set w0 up; ip link set c0 up; ip addr add 10.9.0.1/24 dev w0
mount --move . / && exec chroot . env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/lib/systemd/systemd --system --unit=quiet.target
END
(
	for group in $groups; do echo $BASHPID > $group/cgroup.procs; done 2>/dev/null
	exec unshare --pid --mount --net --uts --ipc --cgroup --fork --kill-child bash $lab/container $root "$legacy"
) >$lab/log 2>&1 &
container=$!
inside() { nsenter -t "$(pgrep -P $container)" -m -p -n -u -i -C -r -w "$@"; }
soon() { local i; for i in $(seq 600); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; "$@"; } # soon COMMAND...
answers() { inside timeout 10 tegctl status; }
is_up() { inside systemctl is-system-running | grep -qE 'running|degraded'; }
soon is_up || cannot "no systemd comes up in a container here"

of() { inside systemctl show -P "$1" tegd; }
live() { inside tegctl --json status | jq -r "$1" | xargs; }
stands() { same "$(live "$1")" "$2"; } # stands FILTER VALUES

# --- it starts
ok "tegd.service starts" inside systemctl start tegd
is "$(of ActiveState)" active "and is said to be ready"
ok "the api answers" soon answers
is "$(ps -o user:20= -p "$(pgrep -f -- '--role=api')" | xargs)" "$(inside id -u tegumentar)" "and is the user tegumentar"
ok "a policy is applied" inside tegctl apply /one.tegb
ok "a posture is switched" inside tegctl posture LOCKDOWN
ok "all of it stands" soon stands '.generation, .intact, .posture, .engine' "1 true LOCKDOWN xdp-native"
is "$(inside ls "/proc/$(of MainPID)/root/home" | wc -l)" 0 "home directories are not there for it"
ok "nor can it set the kernel's variables" inside sh -c "! nsenter -t $(of MainPID) -m sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward || echo 0 > /sys/class/net/w0/carrier'"

# --- read anew, ended, killed, frozen
pid=$(of MainPID)
ok "it reads its settings anew" inside systemctl reload tegd
ok "and answers" soon answers
is "$(of MainPID)" "$pid" "as the same process"
others() { [ "$(of MainPID)" != "$1" ] && [ "$(of MainPID)" != 0 ] && answers; } # others PID
kill -KILL "$(pgrep -f '^/usr/sbin/tegd --foreground' | head -1)"
ok "killed, it is started again" soon others "$pid"
ok "and adopts what stands" soon stands '.generation, .intact, .adopted' "1 true adopted"
pid=$(of MainPID)
inside kill -STOP "$pid"
ok "frozen, it is ended by the watchdog and started again" soon others "$pid"
ok "and adopts what stands" soon stands '.generation, .intact, .adopted' "1 true adopted"
ok "it stops" inside systemctl stop tegd
ok "and the programs judge on" sh -c "nsenter -t $(pgrep -P $container) -n ip -d link show w0 | grep -q xdp"

# --- the socket is systemd's
ok "tegd.socket starts" inside systemctl start tegd.socket
ok "who asks starts tegd" soon answers
ok "which adopts what stands" soon stands '.generation, .intact' "1 true"
cp tests/lib/refused.py $root/
inside python3 /refused.py /run/tegumentar/api.sock 8 >$lab/refused &
asking=$!
for i in 1 2 3 4; do inside systemctl restart tegd; sleep 0.5; done
wait $asking
sed 's/^/# /' $lab/refused # what the api that ends had taken may be cut off; who comes later waits
is "$(grep connect $lab/refused)" "" "nobody who asks while tegd is started anew is refused"
ok "another policy, after all that" inside tegctl apply /two.tegb
tegd_pid=
cat $root/tegd.log >> $lab/log
done_testing
