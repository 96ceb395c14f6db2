# Changes while packets flow, and starts that cannot work, by engine: ENGINE=native . tests/lib/rollout.bash
. tests/lib/live.bash

nft -f - <<-END
	table ip stranger {
		set s { type ipv4_addr; elements = { 192.0.2.7 }; }
		chain c {
			type filter hook input priority 10; policy accept;
			ip saddr @s drop
		}
	}
END
stranger() { nft -a list table ip stranger; }
before=$(stranger)
holds "$before" "192.0.2.7" "there is a table of others"
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/; s/port 80$/port [80, 8080]/'

# --- starts that cannot work
refused() { # refused COMMAND...: its words, unless it stands
	timeout 5 "$@" --engine $ENGINE --bundle $lab/one.tegb 2>&1 && echo "it stands"
}
mkdir $lab/none
# The nft engine pins nothing.
[ $ENGINE = nft ] || holds "$(refused "$BUILD/tegd" --state-dir $lab/s --run-dir $lab/r --pin-dir $lab/none/teg)" "bpf" "pins elsewhere than on bpffs: told"
holds "$(refused setpriv --reuid 65534 --clear-groups "$BUILD/tegd" --state-dir $lab/s --run-dir $lab/r --pin-dir $lab/bpf/x)" \
	"root" "without root: told"

# --- rollouts and postures under load
ok "tegd starts" tegd_start --engine $ENGINE --bundle $lab/one.tegb
lost() { # lost COMMAND...: pings that get no answer while it runs; the last may still be under way when ping is ended
	outside ping -i 0.002 -W1 10.9.0.1 >$lab/pings 2>&1 &
	local job=$! ping
	sleep 0.3
	"$@" >/dev/null || echo "it fails"
	sleep 0.3
	ping=$(pgrep -x ping)
	kill -INT $ping
	wait $job
	awk -F '[ =]+' '/icmp_seq/ { last = $6 }
		/transmitted/ { print ($1 > 100 ? $1 - $4 - ($1 > $4 && last == $1 - 1) : "too few"), "lost" }' $lab/pings
}
rollouts() { local i; for i in $(seq 10); do ctl apply $lab/two.tegb && ctl apply $lab/one.tegb || return; done; }
postures() { local i; for i in $(seq 10); do ctl posture EXPLORE && ctl posture BALANCED || return; done; }
is "$(lost rollouts)" "0 lost" "20 rollouts under load lose nothing that both admit"
is "$(status '.generation, .intact' | xargs)" "21 true" "and all took place"
is "$(status '.switch_seconds > 0')" true "and it says how long both generations judged in the last one"
is "$(ps -o cls= -p "$tegd_pid" | xargs)" TS "after which the warden is scheduled as other processes are"
is "$(ps -o ni= -p "$(pgrep -d, -f "tegd .*--pin-dir $lab/bpf/teg")" | xargs)" "-10 -10" "the warden and the api some steps before them"
is "$(lost postures)" "0 lost" "nor do 20 changes of posture"
is "$(stranger)" "$before" "a table of others is what it was"
done_testing
