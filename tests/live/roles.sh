#!/bin/bash
# Two processes, each with only the privilege it needs; and how tegd begins and ends.
. tests/lib/live.bash
bundle $lab/one.tegb
api_pid() { pgrep -P $tegd_pid -f -- --role=api; }
of_api() { sed -n "s/^$1:[[:space:]]*//p" /proc/"$(api_pid)"/status; }
another() { # in the same place: "code: first line said"
	local out
	out=$("$BUILD/tegd" --state-dir $lab/state2 --run-dir $lab/run2 --pin-dir $lab/bpf/teg2 "$@" 2>&1 </dev/null)
	echo "$?: ${out%%$'\n'*}"
}
gone() { # gone PID: soon
	local i
	for i in $(seq 100); do [ -e "/proc/$1" ] || return 0; sleep 0.02; done
	false
}
restarted() { # another api than PID, answering, soon
	local i
	for i in $(seq 100); do
		[ -n "$(api_pid)" ] && [ "$(api_pid)" != "$1" ] && ctl status >/dev/null 2>&1 && return
		sleep 0.05
	done
	false
}

ok "tegd starts" tegd_start --engine nft --bundle $lab/one.tegb
ok "the api is not root" [ "$(of_api Uid | cut -f1)" != 0 -a "$(of_api Gid | cut -f4)" != 0 ]
is "$(of_api Groups | xargs)" "" "nor in any group beside its own"
is "$(for set in CapInh CapPrm CapEff CapBnd CapAmb; do of_api $set; done | sort -u)" 0000000000000000 "it has no capability, and can get none"
is "$(of_api NoNewPrivs)" 1 "nor by executing anything"
is "$(tr '\0' '\n' < /proc/"$(api_pid)"/environ | grep -vc '^TEGUMENTAR_')" 0 "its environment is ours alone"
is "$(for n in 3 4; do readlink /proc/"$(api_pid)"/fd/$n; done | grep -c socket)" 2 "it has the warden's socket and the one it listens on"
ok "no map, no program, no netlink of the warden's" sh -c "! ls -l /proc/$(api_pid)/fd | grep -E 'bpf|pinned'"
is "$(stat -c %a $lab/run/api.sock)" 660 "its socket is for its owner and group"
is "$(stat -c %a $lab/state)" 700 "the journal is for root"
is "$(grep -c . /proc/$tegd_pid/task/*/comm | wc -l)" 1 "the warden has one thread"

export TEGUMENTAR_DATABASE_URL=postgresql://teg:hunter2@db/x
holds "$("$BUILD/tegd" --settings)" "database-url = postgresql://teg:***@db/x" "a password is not shown"
tegd_end TERM
ok "tegd starts with a password in its environment" tegd_start --engine nft
is "$(tr '\0' '\n' < /proc/"$(api_pid)"/environ | grep -c hunter2)" 0 "which the api does not get"
unset TEGUMENTAR_DATABASE_URL

for signal in KILL TERM INT; do
	first=$(api_pid)
	kill -$signal "$first"
	ok "an api that dies is started again, and answers ($signal)" restarted "$first"
done
is "$(status .intact)" true "and the generation did not notice"
holds "$(another --state-dir $lab/state)" "1: tegd: another tegd runs" "two wardens over one journal are refused"
elsewhere="--state-dir $lab/state3 --run-dir $lab/run3 --pin-dir $lab/bpf/other --engine nft"
for times in first second; do
	holds "$("$BUILD/tegd" $elsewhere 2>&1; echo $?)" "another tegd, process $tegd_pid, runs in this network namespace
1" "a second tegd in this network namespace is refused, told whose it is ($times time)"
done
is "$(status .intact)" true "and the first did not notice"
unshare --net "$BUILD/tegd" $elsewhere 2>$lab/away & away=$!
for i in $(seq 100); do [ -S $lab/run3/api.sock ] && break; sleep 0.05; done
ok "in another network namespace one runs beside it" "$BUILD/tegctl" --socket $lab/run3/api.sock status
kill $away; wait $away
last=$(api_pid)
tegd_end KILL
ok "the api does not outlive its warden" gone "$last"
python3 -c '
import os, socket, time
os.setgroups([])
os.setuid(65534)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind("\0tegumentar")
s.listen(1)
print("bound", flush=True)
time.sleep(60)' >$lab/squat & squatter=$!
for i in $(seq 200); do grep -q bound $lab/squat && break; sleep 0.02; done
ok "an ordinary user who has the name does not keep tegd from starting" tegd_start --engine nft
holds "$(cat $lab/log)" "not known to be root's ($squatter, user 65534): whether another tegd runs in this network namespace is not known" "but is told"
kill $squatter
tegd_end KILL
ok "a socket that was left behind is replaced" tegd_start --engine nft
last=$(api_pid)
tegd_end TERM
ok "SIGTERM ends both" gone "$last"

# --- beginnings that fail, each with what to do
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > $lab/token
chmod 600 $lab/token
is "$(another --check --bundle $lab/one.tegb)" "0: " "--check finds nothing"
is "$(another --check --listen 127.0.0.1:8765 --token-file $lab/token)" "0: " "nor with TCP and a token"
ok "and makes nothing" [ ! -e $lab/state2 -a ! -e $lab/bpf/teg2 ]
chmod 644 $lab/token
holds "$(another --check --token-file $lab/token)" "64: tegd: the token file" "a token that others may read is refused"
holds "$(another --engine fast)" "64: tegd: engine: \`fast\`" "so is an engine that there is not"
head -c 9000 $lab/one.tegb > $lab/short.tegb
holds "$(another --check --bundle $lab/short.tegb)" "69: tegd: bundle $lab/short.tegb: truncated" "--check reads the bundle"
holds "$(setpriv --reuid 65534 --clear-groups "$BUILD/tegd" 2>&1)" "must be started as root" "without root it says so"
holds "$(another --engine native --pin-dir $lab/nobpf)" "is not on a bpf file system: mount" "a pin directory elsewhere is named, with the way out"
ok "and not left behind" [ ! -e $lab/nobpf ]

# --- what --check finds without a start, and a start says too
finds() { # finds WORDS CLAIM FLAG...
	holds "$(another --check "${@:3}")" "$1" "$2"
	case $(another --check "${@:3}") in 0:*) ok "$2: not with 0" false ;; esac
}
touch $lab/file; mkdir -m 777 $lab/wide; mkdir -m 700 $lab/theirs; chown 1 $lab/theirs; mkdir -m 1777 $lab/sticky
finds "state-dir: $lab/file is no directory" "--check finds a state directory that is a file" --state-dir $lab/file
finds "state-dir: $lab/file is no directory" "or lies below one" --state-dir $lab/file/state
finds "state-dir: others may write into $lab/wide: chmod go-w" "one that everybody may write into" --state-dir $lab/wide
finds "state-dir: others may write into $lab/sticky" "also with the sticky bit" --state-dir $lab/sticky
finds "state-dir: $lab/theirs belongs to another user (number 1)" "somebody else's" --state-dir $lab/theirs
finds "run-dir: others may write into $lab/wide" "a run directory where others could answer" --run-dir $lab/wide
holds "$(another --check --run-dir $lab/sticky)" "0: " "but with the sticky bit they cannot"
finds "trusted-keys: " "keys that cannot be read" --trusted-keys $lab/nowhere
finds "user: there is no user nosuch" "a user that there is not" --user nosuch
finds "pin-dir: $lab/nobpf is not on a bpf file system" "a pin directory elsewhere, when the engine needs it" --engine native --pin-dir $lab/nobpf
holds "$(another --state-dir $lab/wide)" "1: tegd: state-dir: others may write into $lab/wide" "and a start refuses the same"
holds "$(TEGUMENTAR_ENGNE=nft another --check)" "TEGUMENTAR_ENGNE in the environment is no setting; did you mean TEGUMENTAR_ENGINE?" "a misspelt variable is told"
ok "--foreground is no other way to run" [ "$(another --check --foreground)" = "0: " ]
done_testing
