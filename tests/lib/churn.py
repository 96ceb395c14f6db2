#!/usr/bin/python3
"""churn.py: adds a counter to the table inet a_foreign and takes it away, thousands of times a second, until it is killed.

Over netlink, since nft takes milliseconds a change.
"""
import socket
import struct

REQUEST, ACK, CREATE = 0x1, 0x4, 0x400
BATCH_BEGIN, BATCH_END, NEWOBJ, DELOBJ = 16, 17, 10 << 8 | 18, 10 << 8 | 20  # NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_...
INET, NFTABLES = 1, 10


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def message(kind, flags, body=b"", family=INET, subsystem=0):
    body = struct.pack(">BBH", family, 0, subsystem) + body
    return struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, 0, 0) + body


COUNTER = attribute(1, b"a_foreign\0") + attribute(2, b"here\0") + attribute(3, struct.pack(">I", 1))
to = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
to.bind((0, 0))
while True:
    for change in message(NEWOBJ, ACK | CREATE, COUNTER + attribute(4 | 0x8000, b"")), message(DELOBJ, ACK, COUNTER):
        to.send(message(BATCH_BEGIN, 0, family=0, subsystem=NFTABLES) + change + message(BATCH_END, 0, family=0, subsystem=NFTABLES))
        answer = to.recv(65536)
        assert struct.unpack_from("=i", answer, 16)[0] == 0, answer
