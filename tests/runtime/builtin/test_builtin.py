"""The fleet that a newcomer meets."""

import importlib
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from runtime.builtin import clock, notes
from runtime.builtin.fleet import FLEET
from runtime.inprocess import ToolServer
from runtime.protocol import (
    Answered,
    CallToolResult,
    ClientConnection,
    Implementation,
    Opened,
    Progressed,
    Send,
    result_from_wire,
)
from runtime.transports.memory import memory_pair
from tests.caller import served


async def events_of(server: ToolServer, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """What a client sees that makes these calls, one after another."""
    here, there = memory_pair()
    connection = ClientConnection(Implementation(name="test", version="0"), era="modern")
    seen: list[Any] = []

    async def receive_until_answered() -> None:
        while True:
            for line in await here.receive_batch():
                seen.extend(connection.receive(line))
            if isinstance(seen[-1], Answered | Opened):
                return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, there)
        await here.send(connection.open())
        await receive_until_answered()
        for name, arguments in calls:
            await here.send(connection.call_tool(name, arguments, progress=True)[1])
            await receive_until_answered()
        here.close()
    return seen[1:]


async def results_of(server: ToolServer, *calls: tuple[str, dict[str, Any]]) -> list[CallToolResult]:
    events = await events_of(server, *calls)
    return [result_from_wire(CallToolResult, e.result) for e in events if isinstance(e, Answered)]


async def test_the_clock_tells_the_time_of_a_zone():
    utc, vienna = await results_of(clock.server, ("now", {}), ("now", {"timezone": "Europe/Vienna"}))
    assert utc.structured_content["time"].endswith("+00:00")
    assert utc.structured_content["timezone"] == "UTC"
    assert vienna.structured_content["time"][-6:] in ("+01:00", "+02:00")
    assert vienna.structured_content["unix"] >= utc.structured_content["unix"] > 1.7e9


@pytest.mark.parametrize("zone", ["Nowhere/Land", "", "/etc/passwd", "..", "\0"])
async def test_an_unknown_zone_is_the_callers_mistake(zone):
    [result] = await results_of(clock.server, ("now", {"timezone": zone}))
    assert (result.is_error, result.text) == (True, f"there is no timezone {zone!r}")


async def test_the_clock_waits_and_reports_each_second(autojump_clock):
    start = trio.current_time()
    *reports, end = await events_of(clock.server, ("wait", {"seconds": 2.5}))
    assert trio.current_time() - start == pytest.approx(2.5)
    assert [(r.progress, r.total) for r in reports if isinstance(r, Progressed)] == [(1, 2.5), (2, 2.5)]
    assert result_from_wire(CallToolResult, end.result).text == "2.5 seconds passed"


async def test_the_clock_echoes():
    [result] = await results_of(clock.server, ("echo", {"text": "ha\nllo"}))
    assert result.text == "ha\nllo"


async def test_notes_are_kept_found_and_forgotten(monkeypatch):
    monkeypatch.setattr(notes, "_notes", {})
    results = await results_of(
        notes.server,
        ("write_note", {"title": "Milk", "text": "two litres"}),
        ("write_note", {"title": "Milk", "text": "three litres"}),
        ("write_note", {"title": "Bread", "text": "rye"}),
        ("read_note", {"title": "Milk"}),
        ("search_notes", {"query": "LITRES"}),
        ("search_notes", {}),
        ("delete_note", {"title": "Bread"}),
        ("read_note", {"title": "Bread"}),
        ("delete_note", {"title": "Bread"}),
    )
    assert [r.text for r in results[:4]] == ["kept 'Milk'", "replaced 'Milk'", "kept 'Bread'", "three litres"]
    assert results[4].structured_content == {"Milk": "three litres"}
    assert results[5].structured_content == {"Milk": "three litres", "Bread": "rye"}
    assert [(r.text, r.is_error) for r in results[6:]] == [
        ("deleted 'Bread'", None),
        ("there is no note 'Bread'", True),
        ("there is no note 'Bread'", True),
    ]


def test_the_fleet_names_what_is_there():
    servers = FLEET["mcpServers"]
    module, _, name = servers["notes"]["python"].partition(":")
    assert getattr(importlib.import_module(module), name) is notes.server
    assert servers["clock"]["command"] == sys.executable
    assert json.loads(json.dumps(FLEET)) == FLEET


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_the_fleets_clock_is_a_process_that_answers_in_its_era_and_ends_with_stdin(era, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    connection = ClientConnection(Implementation(name="test", version="0"), era=era)
    entry = FLEET["mcpServers"]["clock"]
    data = connection.open()
    events: list[Any] = []
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, [entry["command"], *entry["args"]], stdin=subprocess.PIPE, check=False)
        process = await nursery.start(partial(run, stdout=subprocess.PIPE))
        with trio.fail_after(30):
            await process.stdin.send_all(data)
            buffer = b""
            while not any(isinstance(event, Answered) for event in events):
                buffer += await process.stdout.receive_some()
                *lines, buffer = buffer.split(b"\n")
                for event in (event for line in lines for event in connection.receive(line)):
                    events.append(event)
                    if isinstance(event, Send):
                        await process.stdin.send_all(event.data)
                    elif isinstance(event, Opened):
                        await process.stdin.send_all(connection.call_tool("now")[1])
            await process.stdin.aclose()
            assert await process.wait() == 0
    assert connection.version == ("2026-07-28" if era == "auto" else "2025-11-25")


def test_the_clock_starts_without_what_it_does_not_need():
    code = (
        "import sys, runtime.builtin.clock\n"
        "print(sorted({'cattrs', 'rich', 'prompt_toolkit', 'httpx2', 'psutil', 'zoneinfo',"
        " 'runtime.host', 'runtime.config', 'runtime.protocol.client'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_newcomer_sees_a_resource_a_prompt_and_a_question(era, monkeypatch):
    monkeypatch.setattr(notes, "_notes", {"Milk": "two litres", "Bread": "rye"})
    async with served(notes.server, era, {"elicitation": {}}) as caller:
        [resource] = (await caller.ask("resources/list"))["resources"]
        [contents] = (await caller.ask("resources/read", {"uri": resource["uri"]}))["contents"]
        assert contents["text"] == "# Milk\n\ntwo litres\n\n# Bread\n\nrye\n"
        [note] = (await caller.ask("resources/read", {"uri": "notes://note/Milk"}))["contents"]
        assert note["text"] == "two litres"
        assert (await caller.ask("resources/read", {"uri": "notes://note/Tea"})).error.data == {
            "uri": "notes://note/Tea"
        }
        ref = {"type": "ref/resource", "uri": "notes://note/{title}"}
        completion = await caller.ask("completion/complete", {"ref": ref, "argument": {"name": "title", "value": "M"}})
        assert completion["completion"]["values"] == ["Milk"]
        prompt = await caller.ask("prompts/get", {"name": "summarise", "arguments": {"topic": "rye"}})
        assert prompt["messages"][0]["content"]["text"].endswith("{'Bread': 'rye'}")
        answers = {"no": {"sure": False}, "yes": {"sure": True}}
        for answer, told in (("no", "nothing was forgotten"), ("yes", "all is forgotten")):
            caller.answers = lambda *_, content=answers[answer]: {"action": "accept", "content": content}
            assert (await caller.call_beside("forget_all")).text == told
        assert notes._notes == {}
