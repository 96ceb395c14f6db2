"""Runs a program as on an older kernel: what came after 5.15, and a few calls that C libraries try first, do not exist.

    older_kernel.py PROGRAM ARGUMENT...        older_kernel.py --calls: their names, as strace says them
"""
import ctypes
import os
import platform
import struct
import sys

LAST = 448  # process_mrelease(2), of 5.15; the numbers from here on are one list for all processors
NUMBERS = {  # x86-64, arm64
    "clone3": (435, 435), "openat2": (437, 437), "faccessat2": (439, 439), "epoll_pwait2": (441, 441),
    "statx": (332, 291), "rseq": (334, 293), "membarrier": (324, 283),
}
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
LOAD, EQUAL, ABOVE, RETURN = 0x20, 0x15, 0x25, 0x06
ALLOW, ENOSYS = 0x7FFF0000, 0x00050000 | 38
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


def install():
    machine = platform.machine()
    here = [n[machine == "aarch64"] for n in NUMBERS.values()]
    code = [(LOAD, 0, 0, 4), (EQUAL, 0, len(here) + 2, AUDIT_ARCH[machine]), (LOAD, 0, 0, 0), (ABOVE, len(here) + 1, 0, LAST)]
    code += [(EQUAL, len(here) - i, 0, n) for i, n in enumerate(here)]
    code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ENOSYS)]
    text = b"".join(struct.pack("HBBI", *c) for c in code)
    room = ctypes.create_string_buffer(text)
    program = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(room))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(program), 0, 0):
        sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))


if sys.argv[1] == "--calls":
    print("|".join(NUMBERS))
else:
    install()
    os.execv(sys.argv[1], sys.argv[1:])
