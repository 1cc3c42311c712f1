"""The smallest MCP server over stdio: one tool, both eras, one write for all the answers to one read.

It costs so little that a benchmark of a client measures the client.
"""

import json
import os

MODERN, LEGACY = "2026-07-28", "2025-11-25"
INFO = {"name": "echo", "version": "1"}
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
DISCOVERED = {
    "resultType": "complete",
    "supportedVersions": [MODERN],
    "capabilities": {"tools": {}},
    "ttlMs": 0,
    "cacheScope": "private",
    "_meta": {"io.modelcontextprotocol/serverInfo": INFO},
}
INITIALIZED = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": INFO}
TOOLS = {
    "resultType": "complete",
    "tools": [{"name": "echo", "description": "Gives back its text", "inputSchema": SCHEMA}],
    "ttlMs": 0,
    "cacheScope": "private",
}
ANSWERS = {"server/discover": DISCOVERED, "initialize": INITIALIZED, "tools/list": TOOLS, "ping": {}}


def answer(line: bytes) -> bytes:
    message = json.loads(line)
    if "id" not in message:
        return b""
    if (method := message["method"]) == "tools/call":
        text = message["params"]["arguments"]["text"]
        result = {"resultType": "complete", "content": [{"type": "text", "text": text}]}
    else:
        result = ANSWERS[method]
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode() + b"\n"


def main() -> None:
    rest = b""
    while data := os.read(0, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        out = b"".join(map(answer, lines))
        while out:
            out = out[os.write(1, out) :]


if __name__ == "__main__":
    main()
