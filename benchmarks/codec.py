"""What a message costs between its bytes and its value, both ways: at both depths, against bare msgspec.

The call and the result are of some 300 bytes and modern; a typed round decodes and encodes both, envelope included. The
official SDK's models do the same in a process of their own, where the interop peers are installed or ``--sdk-python``
names an interpreter that has the SDK.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from harness import FLOOR, OURS, Job, report
from runtime.protocol import (
    MODERN_VERSION,
    CallToolParams,
    CallToolResult,
    Request,
    Response,
    decode,
    encode_request,
    encode_response,
    from_wire,
    result_from_wire,
    to_wire,
    wire,
)

HERE = Path(__file__).parent
PEERS = [HERE.parent / ".peers" / each / "bin" / "python" for each in ("mcp2", ".")]

META = {
    "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "progressToken": 7,
}
ARGUMENTS = {"query": "how to supervise a server", "limit": 10, "tags": ["trio", "mcp"]}
CALL = msgspec.json.encode(
    {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": "search_documents", "arguments": ARGUMENTS, "_meta": META},
    }
)


def result_line(text: str, structured: Any) -> bytes:
    result = {
        "resultType": "complete",
        "content": [{"type": "text", "text": text}],
        "structuredContent": structured,
        "isError": False,
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "documents", "version": "1.0"}},
    }
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 7, "result": result})


RESULT = result_line("Three were found; the first tells of restarts.", {"count": 3, "ids": [11, 12, 13]})
LARGE = result_line("A line of a file, of which there are many.\n" * 1500, {})


class Call(msgspec.Struct):
    """What bare msgspec makes of it: no unknown field survives, and no error names a place."""

    class Params(msgspec.Struct):
        name: str
        arguments: dict[str, Any]
        meta: dict[str, Any] = msgspec.field(name="_meta")

    jsonrpc: str
    id: int | str
    method: str
    params: Params


class Answer(msgspec.Struct):
    class Result(msgspec.Struct, rename="camel"):
        class Text(msgspec.Struct):
            type: str
            text: str

        result_type: str
        content: list[Text]
        structured_content: Any
        is_error: bool
        meta: dict[str, Any] = msgspec.field(name="_meta")

    jsonrpc: str
    id: int | str
    result: Result


class Envelope(msgspec.Struct):
    jsonrpc: str
    id: int | str | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()


_call, _answer = msgspec.json.Decoder(Call).decode, msgspec.json.Decoder(Answer).decode
_result = msgspec.json.Decoder(Answer.Result).decode
_envelope, _encode = msgspec.json.Decoder(Envelope).decode, msgspec.json.Encoder().encode


def bare_call() -> bytes:
    return _encode(_call(CALL))


def bare_result(line: bytes) -> bytes:
    return _encode(_answer(line))


def bare_two_depths(line: bytes) -> bytes:
    """The envelope first, then the body: what a reader does that must know first whose answer it is."""
    envelope = _envelope(line)
    result = _result(envelope.result)
    return _encode({"jsonrpc": "2.0", "id": envelope.id, "result": result})


def our_call() -> bytes:
    match decode(CALL):
        case Request(id, method, params) if params is not None:
            return encode_request(id, method, to_wire(from_wire(CallToolParams, params)))
    raise AssertionError


def our_result(line: bytes) -> bytes:
    match decode(line):
        case Response(id, result):
            return encode_response(id, to_wire(result_from_wire(CallToolResult, result)))
    raise AssertionError


def our_page(line: bytes) -> bytes:
    match decode(line):
        case Response(id, result):
            return encode_response(id, to_wire(from_wire(CallToolResult, result)))
    raise AssertionError


def both(call: Callable[[], bytes], result: Callable[[bytes], bytes]) -> None:
    call()
    result(RESULT)


def timed(job: Callable[[], object], count: int) -> float:
    """Microseconds of CPU for one of ``count``: of three tries the best, for the neighbours only ever slow one down."""
    costs = []
    for _ in range(3):
        started = time.process_time()
        for _ in range(count):
            job()
        costs.append((time.process_time() - started) / count * 1e6)
    return min(costs)


def way(job: Callable[[], object], count: int = 2000) -> Callable[[], float]:
    return partial(timed, job, count)


# All that a client's connection needs for its handshake, a list and a call.
CLIENT = "from runtime.protocol import ClientConnection, from_wire, to_wire, warm_up; warm_up()"


def import_cost(statement: str, after: str = "") -> float:
    """Milliseconds for a statement in a fresh interpreter, and none for what came before."""
    lines = ["import time", after, "started = time.perf_counter()", statement]
    program = "\n".join([*lines, "print((time.perf_counter() - started) * 1e3)"])
    return float(subprocess.check_output([sys.executable, "-c", program]))


class Sdk:
    """The SDK's models in a process of their own, measured there when asked."""

    def __init__(self, python: Path) -> None:
        command = [python, HERE / "sdk_codec.py"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._send(CALL.decode())
        self._send(RESULT.decode())

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def measure(self, count: int) -> float:
        assert self._process.stdout is not None
        self._send(str(count))
        return float(self._process.stdout.readline())


def sdk_python() -> Path | None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdk-python", type=Path, help="an interpreter that has the official SDK")
    named: Path | None = parser.parse_args().sdk_python
    candidates = [named] if named is not None else PEERS
    return next((each for each in candidates if _has_the_sdk(each)), None)


def _has_the_sdk(python: Path) -> bool:
    return python.exists() and subprocess.run([python, "-c", "import mcp_types"], capture_output=True).returncode == 0


if __name__ == "__main__":
    cache = tempfile.TemporaryDirectory()  # bytecode is cached, as for every program that starts a second time
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = cache.name
    assert wire._text_result(decode(RESULT).result) is not None  # type: ignore[union-attr]  # or it measures another way
    jobs = [
        Job(
            "envelope, call",
            "µs",
            {FLOOR: way(lambda: _envelope(CALL)), OURS: way(lambda: decode(CALL))},
            limit=1,
        ),
        Job(
            "envelope, result",
            "µs",
            {FLOOR: way(lambda: _envelope(RESULT)), OURS: way(lambda: decode(RESULT))},
            limit=1,
        ),
        Job(
            "typed call and result",
            "µs",
            {FLOOR: way(partial(both, bare_call, bare_result)), OURS: way(partial(both, our_call, our_result))},
            limit=20,
        ),
        Job(
            "the same, no short way",
            "µs",
            {FLOOR: way(partial(both, bare_call, bare_result)), OURS: way(partial(both, our_call, our_page))},
            limit=20,
        ),
        Job(
            "64 KiB result",
            "µs",
            {FLOOR: way(partial(bare_two_depths, LARGE), 500), OURS: way(partial(our_result, LARGE), 500)},
            goal=1.3,
        ),
        Job(
            "64 KiB, floor in one pass",
            "µs",
            {FLOOR: way(partial(bare_result, LARGE), 500), OURS: way(partial(our_result, LARGE), 500)},
        ),
        Job(
            "import (floor: trio's own)",
            "ms",
            {FLOOR: partial(import_cost, "import trio"), OURS: partial(import_cost, CLIENT, after="import trio")},
            goal=0.5,
        ),
    ]
    report("codec against bare msgspec", jobs)
    if (python := sdk_python()) is None:
        print("the official SDK is not installed", file=sys.stderr)
    else:
        models = Sdk(python)
        report(
            "codec against the SDK's models",
            [
                Job(
                    "typed call and result",
                    "µs",
                    {FLOOR: partial(models.measure, 2000), OURS: way(partial(both, our_call, our_result))},
                    goal=1 / 1.5,
                )
            ],
        )
