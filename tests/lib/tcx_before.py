"""tcx_before.py PINNED-PROGRAM DEVICE - the program before all others of the TCX hook, until its standard input ends."""
import ctypes
import os
import platform
import socket
import struct
import sys

OBJ_GET, LINK_CREATE = 7, 28
TCX_INGRESS, BEFORE = 46, 1 << 3
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    attr = ctypes.create_string_buffer(attr.ljust(128, b"\0"))
    number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
    got = libc.syscall(number, command, attr, len(attr))
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got


path = ctypes.create_string_buffer(sys.argv[1].encode())
program = bpf(OBJ_GET, struct.pack("=QII", ctypes.addressof(path), 0, 0))
link = bpf(LINK_CREATE, struct.pack("=IIII", program, socket.if_nametoindex(sys.argv[2]), TCX_INGRESS, BEFORE))
print("attached", flush=True)
sys.stdin.read()
