#!/bin/bash
# A whole life of tegd under valgrind's memcheck, both processes: nothing is read that was not written, and all is given back.
# It is the released one, but that its processes go without their list of system calls: valgrind makes calls of its own in them.
. tests/lib/live.bash
[ -x "$BUILD/memcheck/tegd" ] || { echo "1..0 # SKIP this flavour of the build has no tegd for valgrind"; exit 0; }
command -v valgrind >/dev/null || { echo "1..0 # SKIP valgrind is not installed"; exit 0; }
real=$(realpath "$BUILD")
cat > $lab/tegd <<END
#!/bin/sh
exec valgrind --trace-children=yes --leak-check=full --errors-for-leak-kinds=definite,indirect --num-callers=30 \\
	--suppressions=$PWD/tests/lib/memcheck.supp --log-file=$lab/memcheck.%p "$real/memcheck/tegd" "\$@"
END
chmod +x $lab/tegd
tegd=$lab/tegd
export TEGUMENTAR_DRIFT_SECONDS=300 # settings come from here, too

bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/; s/port 80$/port [80, 8080]/'
head -c 20000 $lab/one.tegb > $lab/short.tegb
servers 80 8080
changed() { ok "$engine: $*" ctl "$@"; }

for engine in native tc nft; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/one.tegb
	ctl watch >$lab/watched 2>&1 &
	watching=$!
	is "$(reaches 80)" open "$engine: and judges"
	changed plan $lab/two.tegb
	changed apply $lab/two.tegb
	changed posture LOCKDOWN --for 1h --reason "a look at memory"
	changed posture BALANCED
	ok "$engine: a bundle that is short is refused" [ "$(ctl apply $lab/short.tegb >/dev/null 2>&1; echo $?)" != 0 ]
	changed block 203.0.113.7 2001:db8::/64 --for 10m
	changed block
	changed unblock 203.0.113.7
	changed apply $lab/one.tegb --confirm 60s
	changed cancel
	changed rollback
	changed diff 1
	changed history
	changed qualia
	changed metrics
	changed counters
	changed audit
	outside hping3 -q -S -p 80 -i u3000 -c 80 -a 10.9.0.3 10.9.0.1 >/dev/null 2>&1
	kill -HUP $tegd_pid
	nft insert rule inet tegumentar "$(nft list chains inet | grep -o '[ab]_hook_in')" accept
	is "$(status .intact)" false "$engine: an altered table is seen"
	kill $watching
	tegd_end TERM
	ok "$engine: tegd starts on what is left" tegd_start --engine $engine
	is "$(status .adopted)" restored "$engine: and restores it"
	tegd_end TERM
done

# What it complains of stands with a place in the program, and so does a SIGTERM that an api ends of before it has begun.
silent() { # silent FILE
	! sed '/^--/d; /default action of signal 15/,/^==[0-9]*== $/d' "$1" | grep -m 1 -B 3 -A 30 ' at 0x'
}
ends=0
for file in $lab/memcheck.*; do
	grep -q -- '--role=api' $file && role=api || role=warden
	ok "memcheck has nothing to say of the $role, process ${file##*.}" silent $file
	[ $role = api ] || ! grep -q 'ERROR SUMMARY' $file || ends=$((ends + 1))
done
is $ends 6 "and looked for what each warden had lost" # an api is killed when its warden goes before it
done_testing
