#!/usr/bin/python3
"""Networks that are drawn, some within others, and packets from near them.

    drawn_nets.py draw SEED COUNT                        networks, one a line: 24 lengths of each family
    drawn_nets.py send LINK MAC SEED COUNT <NETS >FROM   UDP to port 7777 from as many sources, twice each; prints them
    drawn_nets.py judge NETS FROM <SEEN                  SEEN: who came through, as nft -j lists sets; prints what a plain search says otherwise
"""
import ipaddress
import json
import random
import socket
import struct
import sys


def near(rng, version):
    """Few first bits, so that networks lie in each other."""
    some = rng.getrandbits(62)
    if version == 4:
        return 0x80000000 | (some & 0x1FFFFFFF) >> rng.randrange(20)
    return 0x2001 << 112 | (some & (1 << 48) - 1) >> rng.randrange(40) << 64 | some & 0xFFFF


def draw(rng, count):
    nets = set()
    while len(nets) < count:
        version = rng.choice((4, 6))
        nth = max(rng.randrange(24), rng.randrange(24))
        length = 8 + nth if version == 4 else 17 + 2 * nth
        if not rng.randrange(40):  # now and then a host
            length = 32 if version == 4 else 64
        address = (ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address)(near(rng, version))
        nets.add(ipaddress.ip_network((address, length), strict=False))
    return sorted(nets, key=lambda n: (n.version, n))


def sources(rng, nets, count):
    out = set()
    while len(out) < count:
        version = rng.choice((4, 6))
        number = near(rng, version)
        if rng.randrange(3):  # the first of a network, its last, or what is beside it
            net = rng.choice(nets)
            version = net.version
            number = int(rng.choice((net.network_address, net.broadcast_address))) + rng.randrange(-1, 2)
        out.add((ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address)(number))
    return sorted(out, key=lambda a: (a.version, a))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(mac, source):
    to = ipaddress.ip_address("10.9.0.1" if source.version == 4 else "fd00:9::1").packed
    udp = struct.pack("!HHHH", 40000, 7777, 8, 0)
    if source.version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 7, 0, 64, 17, 0) + source.packed + to
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    else:
        udp = udp[:6] + struct.pack("!H", checksum(source.packed + to + struct.pack("!II", 8, 17) + udp))
        head = struct.pack("!IHBB", 6 << 28, 8, 17, 64) + source.packed + to
    return bytes.fromhex(mac.replace(":", "") + "02000000aa02") + (b"\x08\x00" if source.version == 4 else b"\x86\xdd") + head + udp


def read_nets(lines):
    return [ipaddress.ip_network(line.strip()) for line in lines]


def seen(listing):
    out = set()
    for one in json.load(listing)["nftables"]:
        for element in one.get("set", {}).get("elem", []):
            out.add(ipaddress.ip_address(element["elem"]["val"] if isinstance(element, dict) else element))
    return out


def main():
    if sys.argv[1] == "draw":
        print(*draw(random.Random(int(sys.argv[2])), int(sys.argv[3])), sep="\n")
    elif sys.argv[1] == "send":
        out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        out.bind((sys.argv[2], 0))
        nets = read_nets(sys.stdin)
        for source in sources(random.Random(int(sys.argv[4])), nets, int(sys.argv[5])):
            print(source)
            for _ in range(2):
                out.send(frame(sys.argv[3], source))
    else:
        nets = read_nets(open(sys.argv[2], encoding="ascii"))
        came, wrong, blocked = seen(sys.stdin), 0, 0
        for line in open(sys.argv[3], encoding="ascii"):
            source = ipaddress.ip_address(line.strip())
            around = [n for n in nets if n.version == source.version and source in n]
            blocked += bool(around)
            if bool(around) == (source in came):
                wrong += 1
                if wrong <= 5:
                    print(source, "came, and is blocked by" if around else "came not, and is not blocked", *around[:1])
        print(wrong, "wrong;", "many blocked" if blocked > 100 else f"{blocked} blocked", "and", "many came" if len(came) > 100 else f"{len(came)} came")


main()
