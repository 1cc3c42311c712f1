"""A small modern MCP server over HTTP, at the port that it is given; what it demands and does is in its environment.

``DEMANDS``: the Authorization header without which it answers 401. It has the tools ``echo`` and ``die``.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("echo", "die")]
HINTS = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


def answer(request: dict) -> dict:
    match request["method"]:
        case "server/discover":
            return {**HINTS, "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        case "ping":
            return {}
        case "tools/list":
            return {**HINTS, "tools": TOOLS}
        case "tools/call" if request["params"]["name"] == "die":
            sys.stderr.write(f"dying, and the key is {os.environ.get('KEY')}\n")
            os._exit(3)
        case _:
            said = json.dumps(request["params"]["arguments"])
            return {"resultType": "complete", "content": [{"type": "text", "text": said}]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        demanded = os.environ.get("DEMANDS")
        if demanded and self.headers.get("Authorization") != demanded:
            self.say(401, b"")
        elif "id" not in request:
            self.say(202, b"")
        else:
            self.say(200, json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": answer(request)}).encode())

    def do_GET(self) -> None:
        self.say(405, b"")

    def say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


if __name__ == "__main__":
    ThreadingTCPServer.allow_reuse_address = ThreadingTCPServer.daemon_threads = True  # its heir asks DNS who it is
    ThreadingTCPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
