#!/usr/bin/env python3
"""fill_flows.py COUNT [assured] | end: puts so many flows into this namespace's connection tracking, or ends all that are there.
Those that are not assured may be ended by the kernel to make room for others."""
import socket, struct, sys

CT_NEW, CT_DELETE = 1 << 8, 1 << 8 | 2
REQUEST, ACK, CREATE, EXCL = 1, 4, 0x400, 0x200
ORIG, REPLY, STATUS, TIMEOUT = 1, 2, 3, 7
NESTED = 0x8000


def attribute(kind, body):
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def tuple_of(kind, source, destination, sport, dport):
    ends = attribute(1 | NESTED, attribute(1, source) + attribute(2, destination))
    proto = attribute(2 | NESTED, attribute(1, b"\x11") + attribute(2, struct.pack(">H", sport)) + attribute(3, struct.pack(">H", dport)))
    return attribute(kind | NESTED, ends + proto)


def message(kind, flags, body):
    return struct.pack("=IHHII", 20 + len(body), kind, REQUEST | flags, 0, 0) + struct.pack("=BBH", socket.AF_INET, 0, 0) + body


def flow(i, status):
    client, server = struct.pack(">I", 0x0A000000 + i // 50000), b"\xc6\x12\x00\x01"
    sport = 1024 + i % 50000
    return message(CT_NEW, CREATE | EXCL, tuple_of(ORIG, client, server, sport, 9) + tuple_of(REPLY, server, client, 9, sport) +
                   attribute(STATUS, struct.pack(">I", status)) + attribute(TIMEOUT, struct.pack(">I", 3600)))


netfilter = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
if sys.argv[1] == "end":
    netfilter.send(message(CT_DELETE, ACK, b""))
    code = struct.unpack("=i", netfilter.recv(4096)[16:20])[0]
    sys.exit(f"cannot end them: {-code}" if code else 0)
# IPS_SEEN_REPLY, IPS_CONFIRMED, and IPS_ASSURED; what is refused since there is no room is not heard of.
status = 2 | 8 | (4 if sys.argv[2:] else 0)
for first in range(0, int(sys.argv[1]), 500):
    netfilter.send(b"".join(flow(i, status) for i in range(first, min(first + 500, int(sys.argv[1])))))
