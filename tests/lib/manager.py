"""manager SECONDS SOCKET... -- COMMAND...: starts COMMAND as a service manager does, and prints what it tells.

SOCKET is a path, or ADDRESS:PORT. It ends after SECONDS, with the command.
"""
import os, signal, socket, sys, time

seconds, rest = float(sys.argv[1]), sys.argv[2:]
cut = rest.index("--")
listening = []
for name in rest[:cut]:
    if name.startswith("/"):
        made = socket.socket(socket.AF_UNIX)
        made.bind(name)
    else:
        address, port = name.rsplit(":", 1)
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, int(port)))
    made.listen(64)
    listening.append(made)
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.bind("\0teg-manager-%d" % os.getpid())
told.settimeout(0.05)

started = time.monotonic()
child = os.fork()
if child == 0:
    high = [os.dup2(s.fileno(), 20 + i) for i, s in enumerate(listening)]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i)
    os.environ.update(NOTIFY_SOCKET="@teg-manager-%d" % os.getppid(), WATCHDOG_USEC="400000", WATCHDOG_PID=str(os.getpid()),
                      LISTEN_FDS=str(len(high)), LISTEN_PID=str(os.getpid()))
    os.closerange(3 + len(high), 64)
    os.execv(rest[cut + 1], rest[cut + 1:])
ended = False
while True:
    try:
        print(told.recv(4096).decode(), flush=True)
        continue
    except TimeoutError:
        pass
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        print("exit %d" % os.waitstatus_to_exitcode(status), flush=True)
        break
    if not ended and time.monotonic() > started + seconds:
        os.kill(child, signal.SIGTERM)
        ended = True
