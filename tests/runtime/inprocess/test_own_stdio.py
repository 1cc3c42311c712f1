"""A process that is an MCP server: only protocol on stdout, whatever stdin and stdout are, and a clean end."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

SERVER = """
import os, subprocess, sys, trio
from runtime.inprocess import ToolServer
server = ToolServer("loud")

@server.tool
def shout() -> str:
    print("to print")
    sys.stdout.flush()
    os.write(1, b"to the descriptor\\n")
    subprocess.run([sys.executable, "-c", "import sys; print('child read', repr(sys.stdin.read()))"])
    return "quiet"

@server.tool
def crash():
    raise RuntimeError("on purpose")

@server.tool
def quits():
    sys.exit(3)

@server.tool
async def hang():
    await trio.sleep_forever()

@server.tool(blocking=False)
def large(size: int) -> str:
    return "x" * size

server.run_stdio()
"""
INITIALIZE = {
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "c", "version": "0"},
    },
}


def call(id: Any, name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": id, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def lines(*messages: dict[str, Any]) -> bytes:
    return b"".join(json.dumps({"jsonrpc": "2.0", **m}).encode() + b"\n" for m in ({"id": 0, **INITIALIZE}, *messages))


async def run(data: bytes, **options: Any) -> "subprocess.CompletedProcess[bytes]":
    with trio.fail_after(30):
        return await trio.run_process(
            [sys.executable, "-c", SERVER],
            stdin=data,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            **options,
        )


def answers(stdout: bytes) -> dict[Any, Any]:
    return {message["id"]: message for message in map(json.loads, stdout.splitlines())}


async def test_only_protocol_reaches_stdout_and_the_rest_goes_to_stderr():
    ended = await run(lines(call(1, "shout"), call(2, "crash")))
    told = answers(ended.stdout)
    assert set(told) == {0, 1, 2}
    assert told[1]["result"]["content"][0]["text"] == "quiet"
    assert told[2]["result"]["isError"] is True
    for words in ("to print", "to the descriptor", "child read ''", "'crash' failed", "on purpose"):
        assert words in ended.stderr.decode()
    assert ended.returncode == 0


async def test_a_tool_that_exits_does_not_end_the_process():
    ended = await run(lines(call(1, "quits"), call(2, "large", size=1)))
    told = answers(ended.stdout)
    assert told[1]["result"] == {"content": [{"type": "text", "text": "SystemExit: 3"}], "isError": True}
    assert told[2]["result"]["content"][0]["text"] == "x"
    assert ended.returncode == 0


async def test_the_end_of_stdin_is_a_clean_end():
    ended = await run(b"")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


async def test_noise_on_stdin_is_survived():
    noise = b"\n\r\nhello\n[]\n{}\n" + b'{"jsonrpc":"2.0","id":null,"method":"x"}\n' + b"\xff\n"
    ended = await run(noise + lines(call("a", "large", size=1)).replace(b"\n", b"\r\n") + b"half a li")
    assert set(answers(ended.stdout)) == {0, "a"}
    assert ended.returncode == 0


async def test_a_client_that_stops_reading_for_a_while_gets_everything():
    sizes = {n: 300_000 + n for n in range(1, 40)}  # more than a pipe and the queue hold
    async with trio.open_nursery() as nursery:
        process = await nursery.start(start_server)
        with trio.fail_after(30):
            nursery.start_soon(send_and_close, process, lines(*(call(n, "large", size=s) for n, s in sizes.items())))
            await trio.lowlevel.wait_readable(process.stdout.fileno())
            stdout = b"".join([chunk async for chunk in process.stdout])
            assert await process.wait() == 0
    told = answers(stdout)
    assert {n: len(told[n]["result"]["content"][0]["text"]) for n in sizes} == sizes


async def test_a_client_that_is_gone_ends_the_server_without_complaint():
    async with trio.open_nursery() as nursery:
        process = await nursery.start(start_server)
        with trio.fail_after(30):
            await process.stdin.send_all(lines())
            await process.stdout.receive_some()
            await process.stdout.aclose()
            await process.stdin.send_all(lines(call(1, "large", size=100_000)))
            await process.stdin.aclose()
            assert await process.wait() == 0
            assert b"".join([chunk async for chunk in process.stderr]) == b""


async def test_ctrl_c_ends_it_with_130_and_no_traceback():
    async with trio.open_nursery() as nursery:
        process = await nursery.start(start_server)
        with trio.fail_after(30):
            await process.stdin.send_all(lines(call(1, "hang")))
            await process.stdout.receive_some()
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
            assert b"".join([chunk async for chunk in process.stderr]) == b""


def test_files_are_good_enough_for_stdin_and_stdout(tmp_path: Path):
    (tmp_path / "in").write_bytes(lines(call(1, "large", size=200_000)))
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as sink:
        ended = subprocess.run([sys.executable, "-c", SERVER], stdin=source, stdout=sink, timeout=30)
    assert ended.returncode == 0
    assert set(answers((tmp_path / "out").read_bytes())) == {0, 1}


def test_pipes_that_others_share_are_left_blocking():
    """Whether a descriptor blocks belongs to the pipe, not to the process: others would see EAGAIN."""
    source, stdin = os.pipe()
    stdout, sink = os.pipe()
    try:
        os.write(stdin, lines())
        os.close(stdin)
        ended = subprocess.run([sys.executable, "-c", SERVER], stdin=source, stdout=sink, timeout=30)
        assert ended.returncode == 0
        assert os.get_blocking(source)
        assert os.get_blocking(sink)
    finally:
        for descriptor in (source, stdout, sink):
            os.close(descriptor)


async def start_server(task_status: trio.TaskStatus[Any]) -> None:
    await trio.run_process(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
        task_status=task_status,
    )


async def send_and_close(process: Any, data: bytes) -> None:
    await process.stdin.send_all(data)
    await process.stdin.aclose()


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """The children import the packages from where the tests do."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


async def test_a_host_that_goes_and_leaves_answers_unread_is_an_end_like_any_other():
    """Node gives its children sockets, and a socket that is closed with something unread in it is a reset one."""
    ours, theirs = socket.socketpair()
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", SERVER], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE
    )
    theirs.close()
    with trio.fail_after(20):
        ours.sendall(lines())
        await trio.lowlevel.wait_readable(ours)
        ours.close()
        assert process.stderr is not None
        said = b"".join([part async for part in process.stderr])
        assert await process.wait() == 0
    assert said == b""
