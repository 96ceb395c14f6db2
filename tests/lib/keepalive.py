#!/usr/bin/python3
"""One connection, kept open: each line read is a request for status, each line written its answer's code and what becomes of the connection.

    keepalive.py SOCKET
"""
import http.client
import socket
import sys


class Local(http.client.HTTPConnection):
    auto_open = 0

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])


connection = Local("localhost")
connection.connect()
for _ in sys.stdin:
    try:
        connection.request("GET", "/api/tegumentar/status")
        answer = connection.getresponse()
        answer.read()
        print(answer.status, answer.headers.get("Connection", "stays").lower(), flush=True)
    except (OSError, http.client.HTTPException) as e:
        print(type(e).__name__, flush=True)
