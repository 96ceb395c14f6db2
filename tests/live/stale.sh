#!/bin/bash
# Pins of another version: nft has all layers, the program of before judges on in front of it, and that is said until it is taken away.
. tests/lib/live.bash

bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/; s/port 80$/port [80, 8080]/'
servers 80 8080
now() { status '.generation, .policy.version, .intact, .interfaces[0].engine' | xargs; }

ok "tegd starts, with XDP" tegd_start --engine native
ok "a policy is in force" ctl apply $lab/one.tegb
is "$(now)" "1 1 true xdp-native" "and judges"
tegd_end TERM
# The layout of one map differs, as after an upgrade.
stale=$(pinned teg_causes)
python3 - $stale <<'END'
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def bpf(command, attr):
    room = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
    got = libc.syscall({"x86_64": 321, "aarch64": 280}[os.uname().machine], command, room, 128)
    if got < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    return got, room
os.unlink(sys.argv[1])
fd, _ = bpf(0, struct.pack("IIII", 2, 4, 24, 7))
path = ctypes.create_string_buffer(sys.argv[1].encode())
bpf(6, struct.pack("QI", ctypes.addressof(path), fd))
END
ok "tegd starts on pins of another version" tegd_start --engine auto
is "$(now)" "1 1 false nft" "nft has all layers; that is not called intact"
holds "$(status .fault)" "${stale##*/} is a map of another version" "the status says what is there"
holds "$(status .fault)" "(rm -r $lab/bpf/teg) and start tegd again" "and what to do"
holds "$(cat $lab/log)" "judge on before nft" "so does the log"
holds "$(curl -s --unix-socket $lab/run/api.sock http://t/readyz)" "another version" "and /readyz"
is "$(reaches 80), $(reaches 8080)" "open, shut" "packets are judged meanwhile"
ok "a policy can be applied" ctl apply $lab/two.tegb
is "$(now), $(reaches 8080)" "2 2 false nft, open" "and is in force"
tegd_end TERM
rm -r $lab/bpf/teg
is "$(reaches 80), $(reaches 8080)" "open, open" "without the pins nft judges on"
ok "tegd starts" tegd_start --engine auto
is "$(now), $(reaches 8080)" "2 2 true xdp-native, open" "with XDP again, and intact"
done_testing
