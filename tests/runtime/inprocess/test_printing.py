"""What a function prints does not reach the host's stdout."""
# ruff: noqa: T201

import sys
import threading

import trio

from runtime.inprocess import ToolServer
from runtime.inprocess.printing import printing_to


async def test_what_functions_print_is_handed_over_line_by_line_and_the_hosts_own_goes_on(serve, capsys):
    server, lines = ToolServer("test"), []

    @server.tool
    async def from_a_task() -> None:
        print("one\ntwo", end="")
        await trio.lowlevel.checkpoint()
        print(" and a half")

    @server.tool
    def from_a_thread() -> None:
        print("three", flush=True)
        assert threading.current_thread() is not threading.main_thread()

    @server.tool(blocking=False)
    def at_once() -> None:
        sys.stdout.write("begun")

    async with serve(server, on_print=lines.append) as caller:
        for name in ("from_a_task", "from_a_thread"):
            assert not (await caller.call(name)).is_error
            print("the host's own")
        await caller.call("at_once")
    assert lines == ["one", "two and a half", "three", "begun"]
    assert capsys.readouterr().out == "the host's own\n" * 2


def test_stdout_is_what_it_was_when_the_last_of_them_is_over(capsys):
    real, first, second = sys.stdout, [], []
    one, two = printing_to(first.append), printing_to(second.append)
    one.__enter__()
    two.__enter__()
    print("second")
    assert sys.stdout.fileno is not None
    assert sys.stdout.isatty() is False
    two.__exit__(None, None, None)
    print("first")
    one.__exit__(None, None, None)
    assert sys.stdout is real
    print("real")
    assert (first, second, capsys.readouterr().out) == (["first"], ["second"], "real\n")


def test_who_replaced_stdout_meanwhile_keeps_it(monkeypatch, capsys):
    import io

    monkeypatch.setattr(sys, "stdout", sys.stdout)
    mine = io.StringIO()
    with printing_to([].append):
        sys.stdout = mine
    assert sys.stdout is mine
