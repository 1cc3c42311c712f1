"""A small MCP server over stdio with one fault, named on the command line. Imports little: it is started often."""

import os
import signal
import subprocess
import sys
import time
from json import dumps, loads

MIB = 1024 * 1024


def say(**message):
    sys.stdout.write(dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def babble(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def serve(on_call=None):
    """Be a good modern server until stdin ends; ``on_call`` is given the arguments of each call before its answer."""
    for line in sys.stdin:
        message = loads(line)
        match message.get("method"):
            case "server/discover":
                result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            case "tools/list":
                result = {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}
            case "tools/call":
                if on_call is not None:
                    on_call(message["params"]["arguments"])
                result = {"content": [{"type": "text", "text": dumps(message["params"]["arguments"])}]}
            case _:
                continue
        say(id=message["id"], result=result)


def echo():
    serve()


def exits():
    complain("loading")
    complain("cannot open the data base")
    sys.exit(3)


def refuses():
    for line in sys.stdin:
        complain("no licence: buy one")
        say(id=loads(line)["id"], error={"code": -32000, "message": "go away"})


def mute():
    complain("thinking")
    sys.stdin.read()


def banner():
    babble("Welcome to the server!\n* listening *")
    serve()


def banners():
    babble("Welcome to the server!\n* listening *")
    sys.stdin.read()


def flood():
    while True:
        sys.stdout.write("what a noise\n" * 1000)


def huge():
    for _ in range(65):
        sys.stdout.write("{" * MIB)
        sys.stdout.flush()
    sys.stdin.read()


def dies():
    def die(_):
        complain("out of cheese")
        os._exit(7)

    serve(die)


def deaf_mute():
    """Closes its output and lives on."""

    def close(_):
        complain("nothing more to say")
        sys.stdout.flush()
        os.close(1)
        time.sleep(600)

    serve(close)


def parent():
    """Leaves a child that holds the output open."""

    def leave(_):
        subprocess.Popen(["sleep", "600"])
        os._exit(1)

    serve(leave)


def mayfly():
    """Dies as it is asked to."""

    def die(arguments):
        match arguments.get("die"):
            case "exit":
                os._exit(1)
            case "exit_in_a_line":
                os.write(1, b'{"jsonrpc":"2.0","id":')
                os._exit(1)
            case "leave_a_child":
                subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                os._exit(1)

    serve(die)


def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve()
    while True:
        time.sleep(600)


def tattles():
    complain(f"the token {os.environ['TOKEN']} is no good")
    babble(f"token: {os.environ['TOKEN']}")
    sys.exit(1)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
