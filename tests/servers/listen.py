"""A small HTTP server with one habit, named on the command line. Imports little: it is started often.

It listens at the port that PORT, or a second argument, names, and answers every request with a status and no body.
"""

import os
import signal
import sys
import time
from _socket import (  # the module around it takes longer to import than all else here
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOL_SOCKET,
    socket,
)


def listening(sharing=SO_REUSEADDR):
    server = socket()
    server.setsockopt(SOL_SOCKET, sharing, 1)
    server.bind(("127.0.0.1", int(sys.argv[2] if len(sys.argv) > 2 else os.environ["PORT"])))
    server.listen(16)
    os.write(1, b"listening\n")
    return server


def serve(server, *statuses):
    """Answer with each status once, and then with the last."""
    waiting = list(statuses)
    while True:
        descriptor, _ = server._accept()
        request = b""
        while b"ping" not in request and (data := os.read(descriptor, 65536)):
            request += data
        status = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        os.write(1, request.split(b"\r\n")[0] + b"\n")
        os.write(descriptor, b"HTTP/1.1 %d Fine\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        os.close(descriptor)


def ok():
    server = listening()
    os.write(2, b"to stderr\n")
    os.write(1, b"to stdout\n")
    serve(server, 200)


def shares():
    serve(listening(SO_REUSEPORT), 200)


def locked():
    serve(listening(), 401)


def warms_up():
    serve(listening(), 503, 503, 200)


def deaf():
    time.sleep(600)


def dies():
    os.write(2, b"no data base\n")
    os._exit(7)


def dies_when_asked():
    server = listening()
    server._accept()
    os.write(2, b"out of cheese\n")
    os._exit(8)


def wrapped():
    """Its child serves, as where npx starts node."""
    if os.fork():
        os.wait()
    ok()


def daemon():
    """A daemon of its serves, in a session of its own; it waits for nothing."""
    server = listening()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        serve(server, 200)
    server.close()
    time.sleep(600)


def closes():
    """It lives on and listens no more, once it is told to."""
    server = listening()
    signal.signal(signal.SIGUSR1, lambda *_: server.close())
    try:
        serve(server, 200)
    except OSError:
        time.sleep(600)


def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ok()


def tells_session():
    with open(os.environ["GREENROOM_SESSION"]) as file:
        os.write(1, file.read().encode() + b"\n")
    os.write(1, b"%o\n" % os.stat(os.environ["GREENROOM_SESSION"]).st_mode)
    ok()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
