#!/usr/bin/python3
"""ticks.py PINNED-ACTIVE: lets the tick of events go on, 2,000 times a second, until standard input ends; says when it begins."""
import ctypes
import mmap
import os
import platform
import select
import struct
import sys

OBJ_GET, TICK_AT = 7, 16  # struct teg_active
libc = ctypes.CDLL(None, use_errno=True)
path = ctypes.create_string_buffer(sys.argv[1].encode())
attr = ctypes.create_string_buffer(struct.pack("=QII", ctypes.addressof(path), 0, 0).ljust(128, b"\0"))
active = libc.syscall({"x86_64": 321, "aarch64": 280}[platform.machine()], OBJ_GET, attr, len(attr))
if active < 0:
    sys.exit(f"{sys.argv[1]}: {os.strerror(ctypes.get_errno())}")
page = mmap.mmap(active, mmap.PAGESIZE)
print("going", flush=True)
while not select.select([sys.stdin], [], [], 0.0005)[0]:
    tick = struct.unpack_from("=I", page, TICK_AT)[0]
    struct.pack_into("=I", page, TICK_AT, tick + 1 & 0xFFFFFFFF)
