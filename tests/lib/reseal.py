#!/usr/bin/python3
"""A bundle with a member altered and the seal made anew: what a compiler that is wrong would write.

    reseal.py IN OUT MEMBER FROM TO       the first FROM in the member becomes TO: hex, of one length
"""
import hashlib
import sys

BLOCK = 512


def members(tar):
    at = 0
    while any(tar[at:at + BLOCK]):
        name = tar[at:at + 100].rstrip(b"\0").decode()
        size = int(tar[at + 124:at + 135], 8)
        yield name, at + BLOCK, size
        at += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK


def main():
    source, to, member, old, new = sys.argv[1:]
    old, new = bytes.fromhex(old), bytes.fromhex(new)
    tar = bytearray(open(source, "rb").read())
    places = {name: (at, size) for name, at, size in members(tar)}
    at, size = places[member]
    found = bytes(tar[at:at + size]).find(old)
    if found < 0 or len(old) != len(new):
        sys.exit(f"{member} does not hold these bytes")
    was = hashlib.sha256(tar[at:at + size]).hexdigest().encode()
    tar[at + found:at + found + len(new)] = new
    now = hashlib.sha256(tar[at:at + size]).hexdigest().encode()
    at, size = places["manifest"]
    tar[at:at + size] = bytes(tar[at:at + size]).replace(was, now)
    open(to, "wb").write(tar)


main()
