"""Asks again and again for /healthz, and prints what was no answer: refused.py SOCKET SECONDS"""
import collections
import socket
import sys
import time

wrong, end = collections.Counter(), time.time() + float(sys.argv[2])
while time.time() < end:
    step = "connect"
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(15)
            s.connect(sys.argv[1])
            step = "send"
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
            step = "receive"
            if not s.recv(4096).startswith(b"HTTP/1.1 200"):
                wrong["no answer"] += 1
    except OSError as e:
        wrong[f"{step}: {e.strerror}"] += 1
    time.sleep(0.002)
for what, times in wrong.items():
    print(times, what)
