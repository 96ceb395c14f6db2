"""Wrong requests by the hundred thousand: hammer.py SOCKET PORT VIEWER-TOKEN SECONDS-AT-MOST REQUESTS

Malformed, oversize and unauthorised ones, over both doors, many on a connection, the last of each connection
damaged at random. Prints "REQUESTS-ANSWERED" and then "STATUS COUNT" lines; nothing of it may change anything.
"""
import collections
import os
import random
import re
import select
import socket
import sys
import time

unix, port, token, most_seconds, wanted = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), int(sys.argv[5])
A = "/api/tegumentar/"
GETS = ["status", "qualia", "posture", "audit", "counters", "blocks", "history"]
POSTS = ["posture", "plan", "policy", "audit", "blocks", "blocks/remove", "bundle", "diff", "rollback", "confirm", "cancel", "wound-healing"]
BODIES = [b"", b"{", b"[]", b"null", b'{"a":1}', b'{"posture":1}', b'{"posture":"X","posture":"Y"}', b'{"posture":"\\ud800"}', b'{"posture":"\xff"}',
          b'{"posture":"a\\u0000b"}', b'{"generation":1e999}', b'{"generation":-1}', b'{"before":0.5}', b'{"sources":[]}', b'{"sources":[1]}',
          b'{"sources":["999.1.1.1"]}', b'{"sources":["10.0.0.1"],"duration_minutes":0}', b"[" * 1000, b'{"a":' * 1000, b'"' + b"a" * 30000, b"\0" * 100, b"ustar" * 500]


def request(method, path, head=(), body=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: t", *head]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def wrong(r, admin, bearer):
    """One that stays refused, on a connection that goes on."""
    auth = [f"Authorization: {r.choice(['Bearer ' + bearer, 'Bearer guess', 'Basic YTpi', 'Bearer'])}"] if bearer and r.random() < 0.7 else []
    kind = r.randrange(8)
    if kind == 0:
        return request(r.choice(["GET", "HEAD", "DELETE", "OPTIONS"]), r.choice(["/", "/%2e", "/api", A + "nothing", "/healthz/"]), auth)
    if kind == 1:
        return request(r.choice(["PUT", "DELETE", "PATCH"]), A + r.choice(GETS), auth)
    if kind == 2:
        return request("GET", A + r.choice(GETS) + r.choice(["?a=1", "?", "?%00"]) + "x", auth)
    path = r.choice(POSTS)
    # A bundle from an admin is read up to its end and audited: noise of that kind has a test of its own.
    if admin and path in ("policy", "plan"):
        path = "posture"
    head = auth + [f"Content-Type: {r.choice(['application/json', 'application/octet-stream', 'text/plain', 'application/jsonx'])}"]
    if path in ("rollback", "confirm", "cancel", "policy"):
        head += r.choice([[], ["If-Match: W/\"1\""], ["If-Match: \"77-0123456789abcdef\""], ["If-Match: x"]])
    return request("POST", A + path, head, r.choice(BODIES))


def last(r, admin, bearer):
    """One after which the connection may be over."""
    kind = r.randrange(5)
    if kind == 0:
        return request("POST", A + "posture", ["Content-Type: application/json", "Content-Length: 100000000"])
    if kind == 1:
        return request("POST", A + "blocks", ["Content-Type: application/json", "Transfer-Encoding: chunked"]) + b"5\r\nabcde\r\n0\r\n\r\n"
    if kind == 2:
        return request("GET", "/" + "a" * r.choice([100, 40000]), ["X: " + "b" * r.choice([10, 40000])])
    if kind == 3:
        return bytes(r.randrange(256) for _ in range(r.randrange(1, 300))) + b"\r\n\r\n"
    bad = bytearray(wrong(r, admin, bearer))
    for _ in range(r.randrange(1, 6)):
        bad[r.randrange(len(bad))] = r.randrange(256)
    return bytes(bad)


def exchange(s, data):
    """Answers are read while requests are sent: else both sides may wait for each other."""
    got = bytearray()
    try:
        while True:
            readable, writable, _ = select.select([s], [s] if data else [], [], 20)
            if writable:
                data = data[s.send(data[:1 << 16], socket.MSG_DONTWAIT):]
                if not data:
                    s.shutdown(socket.SHUT_WR)
            if readable:
                chunk = s.recv(1 << 16)
                if not chunk:
                    return bytes(got)
                got += chunk
            if not readable and not writable:
                return bytes(got)
    except OSError:
        return bytes(got)  # refused before all of it was read


def converse(r, over_unix):
    s = socket.socket(socket.AF_UNIX if over_unix else socket.AF_INET)
    s.settimeout(20)
    s.connect(unix if over_unix else ("127.0.0.1", port))
    bearer = "" if over_unix else token
    n = 60
    data = b"".join(wrong(r, over_unix, bearer) for _ in range(n)) + last(r, over_unix, bearer)
    got = exchange(s, memoryview(data))
    s.close()
    return re.findall(rb"(?:^|\n|\}|\])HTTP/1\.1 (\d{3})", got)


def work(seed, out):
    r, count, end = random.Random(seed), collections.Counter(), time.time() + most_seconds
    while sum(count.values()) < wanted / 2 and time.time() < end:
        count.update(converse(r, r.random() < 0.5))
    os.write(out, b"".join(b"%s %d\n" % (k, v) for k, v in count.items()))
    os._exit(0)


pipes = []
for seed in (1, 2):
    here, there = os.pipe()
    if not os.fork():
        work(seed, there)
    os.close(there)
    pipes.append(os.fdopen(here))
total = collections.Counter()
for p in pipes:
    for line in p:
        status, n = line.split()
        total[status] += int(n)
print(sum(total.values()))
for status in sorted(total):
    print(status, total[status])
