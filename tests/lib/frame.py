#!/usr/bin/python3
"""frame.py LINK MAC NAME...: sends each frame named, three times, to MAC.

Frames that no client sends. They go from 10.9.0.2 and fd00:9::2 to port 80 of
10.9.0.1 and fd00:9::1 (tests/lib/live.bash) unless the name says otherwise.
deepN is one of 8,000 bytes whose TCP header begins at byte N.
"""
import ipaddress
import os
import socket
import struct
import sys

HOST4, HOST6 = "10.9.0.1", "fd00:9::1"
US4, US6, BOGON4, BOGON6 = "10.9.0.2", "fd00:9::2", "203.0.113.5", "fd00:9::66"
TCP, UDP, ICMPV6 = 6, 17, 58
V4, V6 = b"\x08\x00", b"\x86\xdd"  # types of Ethernet


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address):
    return ipaddress.ip_address(address).packed


def tcp(offset=5, flags=0x02):
    return struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, offset << 4, flags, 1024, 0, 0)


def udp(payload=b"x" * 8):
    return struct.pack("!HHHH", 40000, 80, 8 + len(payload), 0) + payload


def ip4(payload, source=US4, proto=TCP, version=4, words=5, length=None, fragment=0, ident=7):
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | words, 0, length or 20 + len(payload), ident, fragment, 64, proto,
                       0, packed(source), packed(HOST4))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(payload, source=US6, to=HOST6, following=TCP, version=6, length=None, hops=64):
    return struct.pack("!IHBB16s16s", version << 28, len(payload) if length is None else length, following, hops,
                       packed(source), packed(to)) + payload


def summed6(source, to, proto, body, at):
    """body with its checksum, over IPv6, at the offset `at`."""
    pseudo = packed(source) + packed(to) + struct.pack("!II", len(body), proto)
    return body[:at] + struct.pack("!H", checksum(pseudo + body)) + body[at + 2:]


def solicitation(source, hops):
    """Who has HOST6? Tell source."""
    to = "ff02::1:ff00:1"
    body = struct.pack("!BBHI16sBB6s", 135, 0, 0, 0, packed(HOST6), 1, 1, bytes.fromhex("02000000aa66"))
    return ip6(summed6(source, to, ICMPV6, body, 2), source, to, ICMPV6, hops=hops)


def error(about, type=3, code=1):
    body = struct.pack("!BBHI", type, code, 0, 0) + about
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


ECHO4 = b"\x08\0\0\0\0\7\0\1" + b"z" * 40
ECHO4 = ECHO4[:2] + struct.pack("!H", checksum(ECHO4)) + ECHO4[4:]
ECHO6 = summed6(US6, HOST6, ICMPV6, b"\x80\0\0\0\0\7\0\1" + b"z" * 40, 2)


def part4(begin, end):
    """A part of a request, by its bytes; nothing that was sent before is a part of it."""
    more = 0x2000 if end < len(ECHO4) else 0
    return V4 + ip4(ECHO4[begin:end], proto=1, fragment=begin // 8 | more, ident=os.getpid() & 0xFFFF)


def part6(begin, end):
    head = struct.pack("!BBHI", ICMPV6, 0, begin | (end < len(ECHO6)), os.getpid())
    return V6 + ip6(head + ECHO6[begin:end], following=44)


def headers6(count):
    """count destination options, each pointing to the next, then TCP."""
    chain = b"".join(struct.pack("!BB6x", 60 if i + 1 < count else TCP, 0) for i in range(count))
    return V6 + ip6(chain + summed6(US6, HOST6, TCP, tcp(), 16), following=60)


def deep6(at, size=8000):
    """TCP to port 81 that begins so many bytes into a frame of `size`, behind as many destination options as that takes."""
    chain, left = b"", at - 54
    while left:
        here = min(left, 2048)
        left -= here
        chain += struct.pack("!BB", 60 if left else TCP, here // 8 - 1) + b"\0" * (here - 2)
    segment = tcp()[:2] + struct.pack("!H", 81) + tcp()[4:] + b"d" * (size - at - 20)
    return V6 + ip6(chain + segment, following=60)


def tagged(kind, packet, tags=(0x8100,)):
    return b"".join(struct.pack("!HH", tag, 7) for tag in tags) + struct.pack("!H", kind) + packet


FRAMES = {  # what stands behind the two addresses of Ethernet
    "whole": V4 + ip4(tcp()),
    "short-eth": b"\x81\x00\x00",
    "short-ip4": V4 + ip4(b"")[:12],
    "short-ip6": V6 + ip6(b"")[:30],
    "bad-version4": V4 + ip4(tcp(), version=5),
    "bad-version6": V6 + ip6(tcp(), version=7),
    "over-long4": V4 + ip4(tcp(), length=1400),
    "over-long6": V6 + ip6(tcp(), length=1400),
    "short-tcp4": V4 + ip4(tcp()[:10]),
    "short-tcp6": V6 + ip6(tcp()[:10]),
    "short-udp4": V4 + ip4(udp()[:5], proto=UDP),
    "bad-tcp4": V4 + ip4(tcp(offset=3)),
    "bad-tcp6": V6 + ip6(tcp(offset=3)),
    "bad-udp4": V4 + ip4(struct.pack("!HHHH", 40000, 80, 5, 0), proto=UDP),
    "tiny4": V4 + ip4(tcp()[:8], fragment=0x2000),
    "tiny6": V6 + ip6(struct.pack("!BBHI", TCP, 0, 1, 7) + tcp()[:8], following=44),
    "overlap4": V4 + ip4(tcp()[8:], fragment=1),
    "overlap6": V6 + ip6(struct.pack("!BBHI", TCP, 0, 8, 7) + tcp()[8:], following=44),
    "beyond4": V4 + ip4(b"y" * 64, fragment=0x1FFF),
    "short-inner4": V4 + ip4(error(ip4(tcp())[:20]), proto=1),
    "bad-inner4": V4 + ip4(error(ip4(tcp(), version=5)), proto=1),
    "foreign-inner4": V4 + ip4(error(ip4(tcp())), proto=1),
    "echo4-0-24": part4(0, 24),
    "echo4-24-48": part4(24, 48),
    "echo4-16-48": part4(16, 48),
    "echo6-0-24": part6(0, 24),
    "echo6-24-48": part6(24, 48),
    "echo6-16-48": part6(16, 48),
    "three-tags": tagged(0x0800, ip4(tcp()), (0x88A8, 0x8100, 0x8100)),
    "nine-headers": headers6(9),
    "eight-headers": headers6(8),
    "arp": b"\x08\x06" + struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 2, b"\2\0\0\0\0\1", packed("10.9.0.77"), b"\2\0\0\0\0\2",
                                     packed(HOST4)),
    "bogon4": V4 + ip4(tcp(), source=BOGON4),
    "bogon-tagged4": tagged(0x0800, ip4(tcp(), source=BOGON4)),
    "bogon-two-tags": tagged(0x0800, ip4(tcp(), source=BOGON4), (0x88A8, 0x8100)),
    "bogon-large4": V4 + ip4(udp(b"y" * 7900), source=BOGON4, proto=UDP),
    "bogon6": V6 + ip6(tcp(), source=BOGON6),
    "bogon-tagged6": tagged(0x86DD, ip6(tcp(), source=BOGON6)),
    "bogon-later4": V4 + ip4(b"y" * 64, source=BOGON4, fragment=100),
    "bogon-later6": V6 + ip6(struct.pack("!BBHI", TCP, 0, 100 << 3, 7) + b"y" * 64, source=BOGON6, following=44),
    "solicitation": V6 + solicitation(US6, 255),
    "solicitation-bogon": V6 + solicitation(BOGON6, 255),
    "solicitation-routed": V6 + solicitation(US6, 64),
}


def main():
    link, mac, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((link, 0))
    for name in names:
        for _ in range(3):
            behind = deep6(int(name[4:])) if name.startswith("deep") else FRAMES[name]
            out.send(bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("02000000aa02") + behind)


main()
