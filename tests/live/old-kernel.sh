#!/bin/bash
# Before Linux 6.1 programs judge as anywhere, and a policy's tests are not run in the kernel, which would rewrite how it calls every
# XDP program; nor is the program tried out there. The kernel only says that it is an older one (personality(2), UNAME26).
command -v strace >/dev/null || { echo "1..0 # SKIP strace is not installed (apt-get install strace)"; exit 0; }
. tests/lib/live.bash
servers 80
cat > $lab/tests.teg <<'END'
test "a source of bogons is dropped" {
    posture BALANCED
    icmp echo 203.0.113.5 -> self on wan => drop by bogons
}
END
bundle $lab/edge.tegb "\$r $lab/tests.teg"
tests() { status '"\(.policy.tests.run)+\(.policy.tests.not_run)"'; }

ok "tegd starts with a bundle" tegd_start --engine native --bundle $lab/edge.tegb
newer=$(tests)
tegd_end TERM
rm -rf $lab/state
printf '#!/bin/sh\nexec strace -D -f -qq -e signal=none -e trace=bpf -o %s/asked setarch --uname-2.6 %s/tegd "$@"\n' $lab "$BUILD" >$lab/old
chmod +x $lab/old
tegd=$lab/old
ok "and on an older kernel" tegd_start --engine native --bundle $lab/edge.tegb
is "$(status .engine)" xdp-native "XDP judges on arrival"
before=1+0
linux_before 6.1 && before=0+1
is "$newer, then $(tests)" "$before, then 0+1" "the policy's test was run if this kernel is new, and on the old one left"
is "$(grep -o 'BPF_PROG_\(LOAD\|TEST_RUN\)' $lab/asked | sort -u | xargs)" BPF_PROG_LOAD "where programs were loaded, and none was tried out"
is "$(reaches 80)" open "an admitted service is reached"
is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "a blocked source is cut"
done_testing
