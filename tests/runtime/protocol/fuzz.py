"""Both connections under lines that nobody would send.

    python -m tests.runtime.protocol.fuzz SECONDS [SEED]

Each trial opens a connection in some way and some state, and gives it lines made of real ones by breaking them, between
what a driver does with what it hears. It must be that

- nothing is raised but what the docstrings promise: nothing by `receive`, `LocalProtocolError` by what the driver does;
- all that it would write is one line of one JSON-RPC message;
- what it keeps is bounded by what its own driver has open and by its limits, not by what it hears;
- it is not stuck: when the lines are over, a request is answered as ever, if the connection is open, and a proper
  answer to its question opens it, if not, unless it has failed.

A finding is told with the shortest part of its trial that still shows it. The test suite runs trials of Hypothesis'.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from runtime.protocol import (
    LEGACY_VERSIONS,
    MODERN_VERSION,
    Answered,
    Asked,
    ClientConnection,
    Era,
    JsonRpcError,
    LocalProtocolError,
    Opened,
    Send,
    ServerConnection,
    State,
    decode,
)
from tests.runtime.protocol.judged import (
    ALL,
    DISCOVERED,
    INITIALIZED,
    KEY,
    ME,
    error,
    heard,
    line,
    notification,
    result,
)

Step = tuple[int, int]
"""Which kind of thing happens, and the seed of all else about it."""

META = {KEY + "protocolVersion": MODERN_VERSION, KEY + "clientCapabilities": {"elicitation": {}}, "progressToken": 7}
OFFERS = {"tools": {}, "resources": {"subscribe": True}, "prompts": {}, "logging": {}, "completions": {}}
FORM = {"mode": "form", "message": "?", "requestedSchema": {"type": "object", "properties": {}}}

TO_CLIENT = [
    *(result(id, body) for id in (1, 2, 3, "2") for body in (DISCOVERED, INITIALIZED, {"content": []}, {})),
    *(
        error(id, code, {"supported": [MODERN_VERSION, "2025-06-18"]})
        for id in (1, 2, None)
        for code in (-32601, -32022)
    ),
    result(2, {"resultType": "input_required", "requestState": "s", "inputRequests": {"k": {"method": "roots/list"}}}),
    result(
        3, {"resultType": "input_required", "inputRequests": {"k": {"method": "elicitation/create", "params": FORM}}}
    ),
    result(3, {"resultType": "task", "taskId": "t", "pollIntervalMs": 5, "status": "working"}),
    line(id=5, method="roots/list"),
    line(id="q", method="elicitation/create", params=FORM),
    line(id=6, method="sampling/createMessage", params={"messages": [], "maxTokens": 1}),
    line(id=7, method="ping"),
    notification("notifications/cancelled", requestId=5, reason="r"),
    notification("notifications/cancelled", requestId=4),
    notification("notifications/progress", progressToken=2, progress=0.5, total=1, message="m"),
    notification("notifications/message", level="info", data={"a": [1]}, logger="l"),
    notification("notifications/resources/updated", uri="file:///a"),
    notification("notifications/elicitation/complete", elicitationId="e"),
    line(method="notifications/tools/list_changed"),
    heard(4, "notifications/subscriptions/acknowledged", notifications={"toolsListChanged": True}),
    heard(4, "notifications/prompts/list_changed"),
    heard(4, "notifications/tasks", taskId="t", status="working"),
]
TO_SERVER = [
    line(id=1, method="server/discover", params={"_meta": META}),
    *(
        line(id=1, method="initialize", params={"protocolVersion": v, "capabilities": {"roots": {}}, "clientInfo": {}})
        for v in ("2025-11-25", "2025-03-26", MODERN_VERSION)
    ),
    line(method="notifications/initialized"),
    *(
        line(id=id, method=method, params={**params, **meta})
        for id, meta in ((2, {}), ("x", {"_meta": META}))
        for method, params in (
            ("tools/call", {"name": "t", "arguments": {"a": 1}}),
            ("tools/call", {"name": "t", "inputResponses": {"k": {"action": "decline"}}, "requestState": "s"}),
            ("tools/list", {"cursor": "c"}),
            ("resources/read", {"uri": "u"}),
            ("resources/subscribe", {"uri": "u"}),
            ("resources/unsubscribe", {"uri": "u"}),
            ("prompts/get", {"name": "p", "arguments": {"a": "b"}}),
            (
                "completion/complete",
                {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": ""}},
            ),
            ("logging/setLevel", {"level": "info"}),
            ("subscriptions/listen", {"notifications": {"toolsListChanged": True, "resourceSubscriptions": ["u"]}}),
            ("ping", {}),
        )
    ),
    notification("notifications/cancelled", requestId=2, reason="r"),
    notification("notifications/progress", progressToken=1, progress=1),
    notification("notifications/roots/list_changed"),
    result(1, {"roots": []}),
    error(1, -32601),
]


@cache
def corpus(of_client: bool) -> list[bytes]:
    """Lines of every kind that one end may get, and the official examples, which are neither's."""
    examples = Path(__file__).parent.joinpath("data", "examples").rglob("*.json")
    own = [each.read_bytes() for each in sorted(examples)]
    return [*(TO_CLIENT if of_client else TO_SERVER)] * 3 + own


# Breaking lines

ODD = b"""
    null true false 0 -1 1.5 1e308 9223372036854775808 1180591620717411303424 "" "\\u0000" "\\ud83d\\ude00" "2"
    [] [[]] {} {"":null} "complete" "input_required" "task" "2.0" "2025-03-26" "2026-07-28"
""".split()
SPLINTERS = [
    *(b"[", b"]", b"{", b"}", b'"', b",", b":", b"\\u", b"\\ud800", b"\xff", b"\xc0\x80", b"\0", b"\n", b"\r", b"-"),
    *(b"1e999", b"NaN", b'"id":1,', b'"id":2,', b'"id":null,', b'"error":null,', b"[" * 3000, b'{"a":' * 3000),
]


def _odd(rng: random.Random) -> Any:
    return json.loads(rng.choice(ODD))


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container in ``value`` with each of its keys."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _parts(value[key])


def broken_value(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A line with some of its values lost, exchanged, or of another kind."""
    try:
        message = json.loads(data)
    except ValueError:
        return data
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        parts = list(_parts(message))
        if not parts:
            break
        place, key = rng.choice(parts)
        match rng.randrange(5):
            case 0:
                del place[key]
            case 1 | 2:
                place[key] = _odd(rng)
            case 3:
                place[key] = json.loads(rng.choice(others))
            case 4 if isinstance(place, dict):
                place[rng.choice(("id", "method", "params", "result", "error", "_meta", "x"))] = _odd(rng)
    return json.dumps(message, ensure_ascii=rng.random() < 0.5).encode("utf-8", "replace")


def broken_bytes(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A line with some of its bytes lost, doubled, or others."""
    for _ in range(rng.choice((1, 1, 2, 8))):
        at, to = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        match rng.randrange(6):
            case 0:
                data = data[:at] + data[to:]
            case 1:
                data = data[:at] + rng.choice(SPLINTERS) + data[at:]
            case 2:
                data = data[:at] + rng.randbytes(rng.randrange(1, 5)) + data[at + 1 :]
            case 3:
                data = data[:to] + data[at:]
            case 4:
                other = rng.choice(others)
                data = data[:at] + other[rng.randrange(len(other)) :]
            case 5:
                data = b"[" + data + b"," + rng.choice(others) + b"]"
    return data[:100_000]


def some_line(rng: random.Random, others: Sequence[bytes]) -> bytes:
    data = rng.choice(others)
    match rng.randrange(8):
        case 0:  # whole, and a request as a new one: floods
            return re.sub(rb'"id": (\d+|"\w+")(?=.*"method")', b'"id": %d' % rng.getrandbits(20), data)
        case 1:
            return rng.randbytes(rng.randrange(40))
        case 2 | 3 | 4:
            return broken_value(data, rng, others)
        case 5 | 6:
            return broken_bytes(data, rng, others)
        case _:
            return broken_bytes(broken_value(data, rng, others), rng, others)


# Trials


def check_written(data: bytes) -> None:
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1
    decode(data)


def kept(connection: object) -> int:
    """How many things a connection holds."""
    found = (
        getattr(connection, name, None) for cl in type(connection).__mro__ for name in getattr(cl, "__slots__", ())
    )
    return sum(len(each) for each in found if isinstance(each, dict | set | list | frozenset))


def try_client(start: int, steps: Sequence[Step]) -> None:
    rng = random.Random(start)
    choice = rng.choice(("auto", "modern", "legacy"))
    connection = ClientConnection(ME, ALL, choice, remembered=rng.choice((None, *Era)))  # type: ignore[arg-type]
    check_written(connection.open())
    if rng.random() < 0.8:  # most trials are of open connections
        _open(connection, rng.choice(LEGACY_VERSIONS))
    opened = 0
    for kind, seed in steps:
        rng = random.Random(seed)
        if kind % 4 or connection.state in (State.IDLE, State.FAILED):
            events = connection.receive(some_line(rng, corpus(True)), rng.choice((None, float(seed % 50))))
        else:
            events, more = _drive_client(connection, rng)
            opened += more
        for event in events:
            if isinstance(event, Send):
                check_written(event.data)
        assert kept(connection) <= 2 * opened + 128 + 10
    _client_is_not_stuck(connection)


def _open(connection: ClientConnection, version: str) -> None:
    """Answer whatever is asked until the connection is open."""
    for id in range(1, 5):
        body = (
            DISCOVERED
            if connection.state in (State.PROBING, State.DISCOVERING)
            else {**INITIALIZED, "protocolVersion": version}
        )
        if any(isinstance(event, Opened) for event in connection.receive(result(id, body))):
            return


def _drive_client(connection: ClientConnection, rng: random.Random) -> tuple[Sequence[Any], int]:
    """Do something that a driver does: what is heard of it, and how many requests it has opened."""
    try:
        match rng.randrange(9):
            case 0 | 1:
                id, data = connection.call_tool("t", {"a": 1}, progress=rng.random() < 0.5, tasks=rng.random() < 0.5)
                check_written(data)
                if rng.random() < 0.5:
                    connection.set_timeout(id, float(rng.randrange(50)), 3.0, rng.choice((None, 5.0)))
                return (), 1
            case 2:
                check_written(connection.listen({"toolsListChanged": True})[1])
                return (), 1
            case 3:
                check_written(connection.list_resources("c")[1])
                return (), 1
            case 4:
                for id in [*connection.pending, *connection.asked_back][:1]:
                    if (said := connection.cancel(id)) is not None:
                        check_written(said)
            case 5:
                for id in connection.asked_back[:1]:
                    check_written(connection.retry(id, {"k": {"roots": []}})[1])
            case 6:
                for id in [*connection.asked][:1]:
                    check_written(connection.answer(id, {"roots": []}) or b'{"jsonrpc":"2.0","method":"x"}\n')
            case 7:
                return connection.expire(float(rng.randrange(60))), 0
            case 8:
                check_written(connection.probe_expired())
    except LocalProtocolError:
        pass
    return (), 0


def _client_is_not_stuck(connection: ClientConnection) -> None:
    _open(connection, LEGACY_VERSIONS[0])
    if connection.state is State.FAILED:
        return
    assert connection.state is State.OPEN, connection.state
    for id in (*connection.pending, *connection.asked_back):
        connection.cancel(id)
    for asked in connection.asked:
        assert connection.refuse(asked, JsonRpcError(-1, "over")) is not None
    id, data = connection.call_tool("t")
    check_written(data)
    [event] = connection.receive(result(id, {"content": []}))
    assert isinstance(event, Answered)
    assert not any((connection.pending, connection.asked_back, connection.asked))
    assert connection.expire(1e9) == []


def try_server(start: int, steps: Sequence[Step]) -> None:
    rng = random.Random(start)
    connection = ServerConnection(
        {"name": "s", "version": "1"}, OFFERS, limit=16, eras=rng.choice(((*Era,), (*Era,), (Era.LEGACY,)))
    )
    if rng.random() < 0.8:
        for data in rng.choice((TO_SERVER[:1], TO_SERVER[1:2], TO_SERVER[2:3])):
            connection.receive(data)
    asked = 0
    for kind, seed in steps:
        rng = random.Random(seed)
        if kind % 4:
            for event in connection.receive(some_line(rng, corpus(False))):
                if isinstance(event, Send):
                    check_written(event.data)
        else:
            asked += _drive_server(connection, rng)
        assert kept(connection) <= 2 * 16 + asked + 10
    _server_is_not_stuck(connection)


def _drive_server(connection: ServerConnection, rng: random.Random) -> int:
    """Do something that a driver does; how many questions it has asked."""
    waiting = [*connection.pending] or [0]
    id = rng.choice(waiting)
    said: list[bytes | None] = []
    try:
        match rng.randrange(9):
            case 0 | 1:
                said = [connection.answer(id, {})]
            case 2:
                said = [connection.fail(id, JsonRpcError(-32002, "no", {"a": 1}))]
            case 3:
                said = [connection.progress(id, rng.random(), 1.0, "m")]
            case 4:
                said = [connection.require_input(id, {"k": {"method": "elicitation/create", "params": FORM}}, "s")]
            case 5:
                said = [connection.ask(id, "roots/list")[1]]
                check_written(said[0] or b"")
                return 1
            case 6:
                said = [connection.withdraw(each) for each in [*connection.asked][:1]]
            case 7:
                said = [connection.acknowledge(id), *connection.changed("tools"), *connection.updated("u")]
            case 8:
                said = [connection.log("info", 1, id=rng.choice((None, id)))]
    except LocalProtocolError:
        pass
    except Exception as error:
        if type(error).__name__ != "MissingCapability":  # the other promise of those that ask
            raise
    for data in said:
        if data is not None:
            check_written(data)
    return 0


def _server_is_not_stuck(connection: ServerConnection) -> None:
    for id in connection.pending:
        connection.answer(id, {})
    if connection.era is None:
        connection.receive(TO_SERVER[1])
    connection.receive(line(method="notifications/initialized"))
    meta = {"_meta": META} if connection.era is Era.MODERN else {}
    events = connection.receive(line(id="last", method="tools/call", params={"name": "t", **meta}))
    assert [type(event) for event in events] == [Asked], events
    said = connection.answer("last", {"content": []})
    assert said is not None
    check_written(said)
    assert not connection.pending


TARGETS: dict[str, Callable[[int, Sequence[Step]], None]] = {"client": try_client, "server": try_server}


# The long form


def shortest(target: Callable[[int, Sequence[Step]], None], start: int, steps: list[Step]) -> list[Step]:
    """The steps without those that the finding does not need."""
    at = 0
    while at < len(steps):
        fewer = steps[:at] + steps[at + 1 :]
        try:
            target(start, fewer)
        except Exception:  # noqa: BLE001  # whatever it is, it is still there
            steps = fewer
        else:
            at += 1
    return steps


def main(seconds: float, seed: int) -> int:
    rng = random.Random(seed)
    until = time.monotonic() + seconds
    ran = dict.fromkeys(TARGETS, 0)
    lines = 0
    findings: dict[str, str] = {}
    while time.monotonic() < until:
        for name, target in TARGETS.items():
            start = rng.getrandbits(32)
            length = rng.choice((5, 20, 20, 60, 400))
            steps = [(rng.randrange(4), rng.getrandbits(32)) for _ in range(length)]
            ran[name] += 1
            lines += length
            try:
                target(start, steps)
            except Exception as error:  # noqa: BLE001  # any is a finding
                where = traceback.extract_tb(error.__traceback__)[-1]
                key = f"{name}: {type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
                if key not in findings:
                    short = shortest(target, start, steps)
                    findings[key] = f"{key}: {error}\n  {name}({start}, {short})"
                    sys.stdout.write(findings[key] + "\n")
    told = ", ".join(f"{count} of the {name}" for name, count in ran.items())
    sys.stdout.write(f"seed {seed}: {told}; {lines} steps; {len(findings)} findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().getrandbits(32)))
