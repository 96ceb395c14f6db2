#!/usr/bin/env python3
"""frames.py IFACE DST-MAC KIND COUNT: sends frames that no honest host sends."""
import socket
import struct
import sys

iface, mac, kind, count = sys.argv[1], bytes.fromhex(sys.argv[2].replace(":", "")), sys.argv[3], int(sys.argv[4])
SRC4, DST4 = bytes([10, 9, 0, 2]), bytes([10, 9, 0, 1])
SRC6, DST6 = (socket.inet_pton(socket.AF_INET6, a) for a in ("fd00:9::2", "fd00:9::1"))


def eth(proto, payload):
    return mac + b"\2\0\0\0\0\2" + struct.pack("!H", proto) + payload


def ip4(payload, vihl=0x45, total=None, frag=0, proto=6):
    total = 20 + len(payload) if total is None else total
    return struct.pack("!BBHHHBBH", vihl, 0, total, 7, frag, 64, proto, 0) + SRC4 + DST4 + payload


def ip6(payload, nexthdr=6, length=None):
    length = len(payload) if length is None else length
    return struct.pack("!IHBB", 6 << 28, length, nexthdr, 64) + SRC6 + DST6 + payload


def tcp(offset=5):
    return struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, offset << 4, 2, 1024, 0, 0)


def options(n):
    return b"".join(bytes([60 if i < n - 1 else 6, 0, 1, 4, 0, 0, 0, 0]) for i in range(n))


def tagged(n, frame):
    return b"".join(struct.pack("!HH", 5, 0x8100) for _ in range(n - 1)) + struct.pack("!HH", 5, 0x800) + frame


FRAMES = {
    "short-vlan": eth(0x8100, b"\0\5"),
    "three-vlans": eth(0x8100, tagged(3, ip4(tcp()))),
    "short-ip4": eth(0x800, ip4(b"")[:12]),
    "short-ip6": eth(0x86DD, ip6(b"")[:30]),
    "bad-ihl": eth(0x800, ip4(tcp(), vihl=0x44)),
    "total-beyond": eth(0x800, ip4(tcp(), total=400)),
    "total-below": eth(0x800, ip4(tcp(), total=10)),
    "length6-beyond": eth(0x86DD, ip6(tcp(), length=400)),
    "nine-extensions": eth(0x86DD, ip6(options(9) + tcp(), nexthdr=60)),
    "short-tcp": eth(0x800, ip4(tcp()[:12])),
    "short-udp": eth(0x800, ip4(b"\0\1\0\1", proto=17)),
    "tiny-fragment": eth(0x800, ip4(tcp()[:8], frag=0x2000)),
    "bad-tcp": eth(0x800, ip4(tcp(offset=4))),
    "tcp-beyond": eth(0x800, ip4(tcp(offset=15))),
}
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((iface, 0))
for _ in range(count):
    link.send(FRAMES[kind])
