#!/usr/bin/python3
"""answered.py LINK MAC: a SYN to port 80 of 10.9.0.1 at MAC, and the VLAN tag of what answers it: "tag 5", "no tag", "nothing"."""
import select
import socket
import struct
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from spread import syn  # noqa: E402

AUXDATA, HAS_TAG = 8, 0x10  # PACKET_AUXDATA, TP_STATUS_VLAN_VALID
link, mac = sys.argv[1], sys.argv[2]
port = 20000 + time.monotonic_ns() // 1000 % 20000
ends = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
ends.setsockopt(263, AUXDATA, 1)
ends.bind((link, 0))
ends.send(syn(mac, "10.9.0.2", port))
until = time.monotonic() + 2
while select.select([ends], [], [], max(0, until - time.monotonic()))[0]:
    frame, said, _, _ = ends.recvmsg(2048, 256)
    tag = None
    for _, kind, data in said:
        status, *_, tci, _ = struct.unpack("IIIHHHH", data)
        if kind == AUXDATA and status & HAS_TAG:
            tag = tci
    at = 14
    if frame[12:14] == b"\x81\x00":
        tag, at = int.from_bytes(frame[14:16], "big"), 18
    tcp = frame[at + 20:]
    if frame[at + 9:at + 10] == b"\x06" and tcp[:4] == struct.pack("!HH", 80, port) and tcp[13] == 0x12:
        print(f"tag {tag & 0xfff}" if tag is not None else "no tag")
        break
else:
    print("nothing")
