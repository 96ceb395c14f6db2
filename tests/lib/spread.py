#!/usr/bin/python3
"""spread.py LINK MAC SOURCE COUNT [FIRST]: SYNs from SOURCE to port 80 of 10.9.0.1, COUNT from each processor at once.

Each from a port of its own, FIRST and on (1024), so they are as many flows, which a card spreads over its queues.
With COUNT 0 they go on until this is ended, over 4,000 ports, as fast as they can.
"""
import itertools
import os
import signal
import socket
import struct
import sys

TO = "10.9.0.1"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def syn(mac, source, port):
    ends = socket.inet_aton(source) + socket.inet_aton(TO)
    tcp = struct.pack("!HHIIBBHHH", port, 80, 1, 0, 5 << 4, 2, 1024, 0, 0)
    tcp = tcp[:16] + struct.pack("!H", checksum(ends + struct.pack("!HH", 6, len(tcp)) + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 7, 0, 64, 6, 0) + ends
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("02000000aa02") + b"\x08\x00" + ip + tcp


def send(link, frames, cpu, go):
    os.sched_setaffinity(0, {cpu})
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((link, 0))
    os.read(go, 1)
    for frame in frames:
        try:
            out.send(frame)
        except OSError:  # the card's queue is full: of a flood that matters little
            pass
    os._exit(0)


def main():
    link, mac, source, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    first = int(sys.argv[5]) if len(sys.argv) > 5 else 1024
    cpus = sorted(os.sched_getaffinity(0))
    go, begin = os.pipe()
    each = count or 2000
    signal.signal(signal.SIGTERM, lambda *_: (signal.signal(signal.SIGTERM, signal.SIG_IGN), os.killpg(0, signal.SIGTERM), os._exit(0)))
    os.setpgid(0, 0)
    for i, cpu in enumerate(cpus):
        frames = [syn(mac, source, first + i * each + n) for n in range(each)]
        if not os.fork():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            send(link, frames if count else itertools.cycle(frames), cpu, go)
    os.write(begin, b"g" * len(cpus))
    for _ in cpus:
        os.wait()


if __name__ == "__main__":
    main()
