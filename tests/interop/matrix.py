"""Our client against every foreign peer, as a table: ``python -m tests.interop.matrix [--check]``.

Writes docs/interop.md; with ``--check`` it writes nothing, and fails where the table would be another one.
"""

from __future__ import annotations

import difflib
import secrets
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import trio
from attrs import frozen

import runtime
import runtime.protocol as protocol
from tests.processes import marked

from .peers import HERE, MARK, NAMES, Ask, Peer, furnish, peers, web_page
from .reach import START, reached

DOCUMENT = HERE.parents[1] / "docs" / "interop.md"
AT_ONCE = 4  # peers; more do not finish sooner on two cores, and each gets slower
WORD = "greenroom"  # what our side answers whoever asks it

Cell = Callable[["Visit"], Awaitable[str]]

YES, NOT_OFFERED = "yes", ""


@frozen
class Visit:
    """One peer, at one host that has nothing else to do."""

    peer: Peer
    host: runtime.Runtime
    mark: str
    place: Path

    @property
    def status(self) -> runtime.ServerStatus:
        return self.host.status(self.peer.name)[self.peer.name]

    async def text(self, ask: Ask, **how) -> str:
        """Call a tool that is to succeed; return what it says."""
        result = await self.host.call(self.peer.name, ask.name, ask.arguments, **how)
        assert not result.is_error, result
        return "\n".join(getattr(part, "text", "") for part in result.content)


# What is asked of each ------------------------------------------------------------------------------------------------


async def era(visit: Visit) -> str:
    assert visit.status.state is runtime.State.READY, visit.status.last_error
    return f"{visit.status.era.name.lower()} {visit.status.version}"


async def call(visit: Visit) -> str:
    asked = visit.peer.questions.call
    assert asked.answer in await visit.text(asked.question)
    return YES


async def wrong(visit: Visit) -> str:
    """A refusal is an answer: an error of the tool or of the protocol, after which the server is as it was."""
    ask = visit.peer.questions.wrong
    try:
        result = await visit.host.call(visit.peer.name, ask.name, ask.arguments)
    except runtime.ServerError as refused:
        said = f"error {refused.error.code}"
    else:
        assert result.is_error, result
        said = "tool error"
    try:
        await visit.host.call(visit.peer.name, "no_such_tool")
    except runtime.ToolNotFound:
        pass
    else:
        raise AssertionError("it has a tool of any name")
    assert visit.status.restarts == 0
    return said


async def progress(visit: Visit) -> str:
    asked = visit.peer.questions.progress
    if asked is None:
        return NOT_OFFERED
    reports: list[float] = []
    await visit.text(asked.question, progress=lambda done, of, word: reports.append(done))
    assert reports == sorted(set(reports)), reports
    assert len(reports) == int(asked.answer), reports
    return f"{len(reports)} reports"


async def cancel(visit: Visit) -> str:
    """A call that we give up is nobody's any more; a server that can tell of it tells that it was cancelled."""
    ask, tells = visit.peer.questions.endless, visit.peer.questions.cancellations
    if ask is None:
        return NOT_OFFERED
    async with trio.open_nursery() as nursery:
        nursery.start_soon(visit.text, ask)
        await until(lambda: visit.status.in_flight == 1)
        if tells is not None:
            assert await visit.text(tells) == "0"  # which comes after it, so it has the other one
        nursery.cancel_scope.cancel()
    assert visit.status.in_flight == 0
    if tells is not None:
        while await visit.text(tells) != "1":  # noqa: ASYNC110 -- nobody tells us when it has become so
            await trio.sleep(0.01)
    await call(visit)
    return YES if tells is None else "told"


async def elicitation(visit: Visit) -> str:
    return await asks_us(visit, visit.peer.questions.elicits, WORD)


async def sampling(visit: Visit) -> str:
    return await asks_us(visit, visit.peer.questions.samples, WORD)


async def roots(visit: Visit) -> str:
    return await asks_us(visit, visit.peer.questions.roots, visit.place.name)


async def asks_us(visit: Visit, ask: Ask | None, answer: str) -> str:
    """A call that needs something of us, once from one caller and then from three at a time."""
    if ask is None:
        return NOT_OFFERED

    async def one() -> None:
        assert answer in await visit.text(ask)

    await one()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(one)
    return YES


async def tools(visit: Visit) -> str:
    return str(len(visit.host.tools(server=visit.peer.name)))


async def resources(visit: Visit) -> str:
    listed = len(visit.host.resources(visit.peer.name)), len(visit.host.resource_templates(visit.peer.name))
    return " + ".join(map(str, listed)) if any(listed) else NOT_OFFERED


async def prompts(visit: Visit) -> str:
    return str(len(visit.host.prompts(visit.peer.name)) or NOT_OFFERED)


async def read(visit: Visit) -> str:
    """A resource that a list names, one that only a template does, and one that there is not."""
    listed, templated = visit.peer.questions.resource, visit.peer.questions.template
    if listed is None:
        return NOT_OFFERED
    for known in filter(None, (listed, templated)):
        result = await visit.host.read_resource(visit.peer.name, known.question)
        assert known.answer in result.contents[0].text, result
    try:
        await visit.host.read_resource(visit.peer.name, "no://such/resource")
    except runtime.ServerError as refused:
        return f"{YES}; else error {refused.error.code}"
    raise AssertionError("it has a resource of any name")


async def subscribe(visit: Visit) -> str:
    """What changes a resource is heard of by who has subscribed to it."""
    known = visit.peer.questions.change
    if known is None:
        return NOT_OFFERED
    async with visit.host.subscribe(visit.peer.name, known.answer) as changes:
        await visit.text(known.question)
        assert (await changes.receive()).uri == known.answer
    return YES


async def prompt(visit: Visit) -> str:
    known = visit.peer.questions.prompt
    if known is None:
        return NOT_OFFERED
    result = await visit.host.get_prompt(visit.peer.name, known.question.name, known.question.arguments)
    assert known.answer in result.messages[0].content.text, result
    return YES


async def completion(visit: Visit) -> str:
    known = visit.peer.questions.completion
    if known is None:
        return NOT_OFFERED
    result = await visit.host.complete(visit.peer.name, *known.question)
    assert " ".join(result.values) == known.answer, result
    return YES


async def stop(visit: Visit) -> str:
    await visit.host.stop(visit.peer.name)
    if visit.peer.over != "stdio" and not visit.peer.owned:
        return NOT_OFFERED
    assert marked(MARK, visit.mark) == {}
    return "no process left"


COLUMNS: dict[str, Cell] = {
    "Era": era,
    "Tools": tools,
    "Resources": resources,
    "Prompts": prompts,
    "A call": call,
    "A wrong one": wrong,
    "Progress": progress,
    "Elicitation": elicitation,
    "Sampling": sampling,
    "Roots": roots,
    "Cancel": cancel,
    "Read": read,
    "Subscribe": subscribe,
    "Prompt": prompt,
    "Completion": completion,
    "Stop": stop,
}
LATE = ("Tools", "Stop")  # asked after the others: some servers add tools once they know their client


# What we are asked ----------------------------------------------------------------------------------------------------


async def fill_in(server: str, asked: protocol.ElicitParams) -> protocol.ElicitResult:
    """Answer a form: with our word wherever words are asked for."""
    fields = asked.requested_schema.properties
    needed = asked.requested_schema.required or fields
    words = {name: WORD for name in needed if isinstance(fields[name], protocol.StringSchema)}
    return protocol.ElicitResult(action="accept", content=words)


async def say_something(server: str, asked: protocol.CreateMessageParams) -> protocol.CreateMessageResult:
    """Answer as a model would that knows one word."""
    return protocol.CreateMessageResult(role="assistant", model="none", content=protocol.TextContent(text=WORD))


async def until(true: Callable[[], bool]) -> None:
    """Wait for what tells nobody that it has become so."""
    while not true():  # noqa: ASYNC110
        await trio.sleep(0.01)


# All of them ----------------------------------------------------------------------------------------------------------


@frozen
class Row:
    """What came of one peer, and what went wrong on the way."""

    peer: Peer
    cells: dict[str, str]
    troubles: dict[str, str]


async def ask_everything(peer: Peer, place: Path) -> Row:
    """Ask a peer for each column. What fails is a cell, too, and does not keep the others from being asked."""
    mark = secrets.token_hex(8)
    cells, troubles = dict.fromkeys(COLUMNS, "**failed**"), {}
    try:
        with trio.fail_after(2 * START):
            async with reached(peer, mark) as server:
                config = {"mcpServers": {peer.name: {"start_timeout": START} | server}, "journal": False}
                async with runtime.open_runtime(
                    config, elicitation=fill_in, sampling=say_something, roots=[place]
                ) as host:
                    visit = Visit(peer, host, mark, place)
                    for column, cell in sorted(COLUMNS.items(), key=lambda each: each[0] in LATE):
                        try:
                            with trio.fail_after(START / 2):
                                cells[column] = await cell(visit)
                        except Exception:  # noqa: BLE001 -- whatever it is, it is this cell's, and told in the end
                            troubles[column] = traceback.format_exc(limit=-3)
            assert marked(MARK, mark) == {}
    except Exception:  # noqa: BLE001
        troubles["on the way"] = traceback.format_exc()
    return Row(peer, cells, troubles)


async def ask_all(chosen: list[Peer], place: Path) -> list[Row]:
    """Ask some of them at once; return the rows in the order of the peers."""
    rows: dict[str, Row] = {}
    seats = trio.CapacityLimiter(AT_ONCE)

    async def ask(peer: Peer) -> None:
        async with seats:
            rows[peer.name] = await ask_everything(peer, place)

    async with trio.open_nursery() as nursery:
        for peer in chosen:
            nursery.start_soon(ask, peer)
    return [rows[peer.name] for peer in chosen]


TRANSPORTS = {"stdio": "stdio", "http": "Streamable HTTP", "sse": "HTTP+SSE", "ws": "WebSocket"}

HEAD = """\
# Foreign servers

What our client and the servers of others do with each other: each was asked everything below, through `open_runtime`,
and the table is what came of it. `python -m tests.interop.matrix` asks them all again and writes this page; the tests
do the same and fail where a word of it would change.

"""
FOOT = """
An empty cell: the server does not offer it. The configuration says where a server is and, in the rows that are legacy
though the server is not, its era; all else was found out.

- **Resources**: listed ones + templates. **Read** reads one of each, then one that there is not.
- **A wrong one** is a call that the server refuses, then one of a tool that it lacks; it must not cost a restart.
- **Elicitation**, **Sampling**, **Roots**: a call that needs an answer of ours, once alone and then three at a time.
- **Cancel**: a call without end that its caller gives up. `told`: the server says that its tool was cancelled.
- **Stop**: no process that the server was started with, or has started, is left while the host goes on.
- The servers called mcp and fastmcp are small ones of ours on those SDKs: `tests/interop/servers`.
- supergateway stands before server-everything. Over WebSocket it renames the ids of our answers, so that none arrives;
  over Streamable HTTP nothing that a server asks comes through any more once a call was cancelled. Neither is tried.
"""


def reached_by(peer: Peer) -> str:
    return TRANSPORTS[peer.over] + (", started by us" if peer.owned else "")


def table(rows: list[Row]) -> str:
    """Return the rows in Markdown."""
    lines = [("Server", "Reached by", *COLUMNS), ("---",) * (len(COLUMNS) + 2)]
    lines += [(row.peer.software, reached_by(row.peer), *row.cells.values()) for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page(rows: list[Row]) -> str:
    """Return docs/interop.md."""
    return HEAD + table(rows) + FOOT


def ask(names: Iterable[str]) -> list[Row]:
    """Ask the peers of these names."""
    with tempfile.TemporaryDirectory() as directory:
        furnish(place := Path(directory))
        with web_page(place) as url:
            each = peers(place, url)
            return trio.run(ask_all, [each[name] for name in names], place)


def main(args: list[str]) -> int:
    names = [arg for arg in args if not arg.startswith("-")]
    rows = ask(names or NAMES)
    for row in rows:
        for column, trouble in row.troubles.items():
            sys.stderr.write(f"-- {row.peer.name}, {column}:\n{trouble}\n")
    if names:
        sys.stdout.write(table(rows))
    elif "--check" in args:
        sys.stdout.writelines(
            difflib.unified_diff(DOCUMENT.read_text().splitlines(True), page(rows).splitlines(True), "is", "would be")
        )
        return page(rows) != DOCUMENT.read_text()
    else:
        DOCUMENT.write_text(page(rows))
    return any(row.troubles for row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
