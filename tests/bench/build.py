#!/usr/bin/env python3
"""What `tegc build` costs, with proofs and without, beside the budgets.

usage: build.py TEGC [RULES...]     1000 10000 unless said; 100000 takes minutes

Lists of rules of a posture, drawn here, and those of ClassBench where ../shared has them, as rules of a posture
and as reflexes. Each build is a process of its own. What it waits for by the clock, its processor time and its peak memory are what the
kernel counts for it: of several, the least, since others use this machine. tegc plans for XDP and for nft side by side, so the clock may
show less than the processors. Budgets are of processor time; they are told, and do not fail the run: where one is missed, the row says so.
"""
import os, random, re, sys, tempfile

sys.dont_write_bytecode = True
from process import measure

LISTS = "../shared/data/rulesets/classbench/"
TIME = {1000: 0.025, 10000: 0.150, 100000: 1.8}  # seconds, without proofs
PROVED = {1000: 1, 10000: 5, 100000: 60}         # with: what all dead rules may take (docs/prover.md)
MEMORY = 100                                     # MB, without proofs


def drawn(rules):
    random.seed(rules)
    octet = lambda: random.randrange(256)
    net = lambda: f"{random.randrange(11, 200)}.{octet()}.{octet()}.{octet() & 240}/28"
    return [f"tcp from {net()} to {net()} port {random.randrange(1, 65536)}" for _ in range(rules)]


def number(dotted):
    return int.from_bytes(bytes(int(n) for n in dotted.split(".")), "big")


def dotted(address, length):
    address &= 0xffffffff << 32 - length
    return "any" if not length else ".".join(str(b) for b in (address & 0xffffffff).to_bytes(4, "big")) + f"/{length}"


def ports(lo, hi, proto):
    return "" if proto not in (6, 17) or (lo, hi) == (0, 65535) else f" port {lo}" if lo == hi else f" port {lo}..{hi}"


def classbench(kind, rules):
    """As many of a list of ClassBench; of 100,000, ten times each, moved to other networks."""
    words = {6: "tcp", 17: "udp", 1: "icmp", None: "ip"}
    row = re.compile(r"@([\d.]+)/(\d+)\s+([\d.]+)/(\d+)\s+(\d+) : (\d+)\s+(\d+) : (\d+)\s+0x(\w+)/0x(\w+)")
    copies, out = rules // 10000 or 1, []
    for line in open(f"{LISTS}{kind}1_{min(rules, 10000)}.rules"):
        g = row.match(line).groups()
        proto = int(g[8], 16) if int(g[9], 16) else None
        for i in range(copies):
            by = i * 0x9e3779b1 & 0xffffff00
            out.append(f"{words.get(proto, f'protocol {proto}')} from {dotted(number(g[0]) ^ by, int(g[1]))}{ports(int(g[4]), int(g[5]), proto)}"
                       f" to {dotted(number(g[2]) ^ by * 5 & 0xffffffff, int(g[3]))}{ports(int(g[6]), int(g[7]), proto)}")
    return out


def posture(selectors):
    rules = "".join(f"    r{i}: {'drop' if i % 4 == 3 else 'allow'} forward {s}\n" for i, s in enumerate(selectors))
    return f'zone wan = "eth0"\nposture P {{\n    default drop\n{rules}}}\ninitial posture P\n'


def reflexes(selectors):
    each = "".join(f"reflex r{i} {{\n    match {s} on wan\n    do drop\n}}\n" for i, s in enumerate(selectors))
    return f'zone wan = "eth0"\nposture P {{\n    default allow\n}}\ninitial posture P\n{each}'


def best(times, *argv):
    all = [measure(*argv) for _ in range(times)]
    return min(wall for wall, _, _, _ in all), min(cpu for _, cpu, _, _ in all), max(mb for _, _, mb, _ in all), all[0][3]


def told(is_, goal, unit):
    return f"{is_:9.3f} {unit} of {goal:g}{' ' if is_ <= goal else '!'}" if unit == "s" else f"{is_:6.0f} {unit} of {goal:g}{' ' if is_ <= goal else '!'}"


tegc, sizes = sys.argv[1], [int(n) for n in sys.argv[2:]] or [1000, 10000]
lists = [("drawn, in a posture", lambda n: posture(drawn(n)))]
if os.path.isdir(LISTS):
    for kind in "acl", "fw", "ipc":
        lists += [(f"{kind}, in a posture", lambda n, kind=kind: posture(classbench(kind, n))),
                  (f"{kind}, as reflexes", lambda n, kind=kind: reflexes(classbench(kind, n)))]
else:
    print(f"the lists of ClassBench are not here: {LISTS}")
print(f"{'rules':>7} {'list':<22} {'without proofs: clock, processors':<46} {'with':<34} {'MB':>6}     ! is over its budget")
with tempfile.TemporaryDirectory() as home:
    path = os.path.join(home, "long.teg")
    for n in sizes:
        for name, policy in lists:
            with open(path, "w") as f:
                f.write(policy(n))
            times = 5 if n <= 1000 else 3 if n <= 10000 else 1
            wall, cpu, mb, code = best(times, tegc, "build", "--no-proofs", path, "-o", path + "b")
            row = f"{n:>7} {name:<22} {wall:7.3f} s {told(cpu, TIME.get(n, 1e9), 's')} {told(mb, MEMORY, 'MB')}"
            if code:
                print(f"{row}  refused, exit {code}", flush=True)
                continue
            wall, cpu, mb, code = best(1, tegc, "build", path, "-o", path + "b")
            print(f"{row}  {wall:7.3f} s {told(cpu, PROVED.get(n, 1e9), 's')} {mb:8.0f}{f'  exit {code}' if code else ''}", flush=True)
