"""What we repeat of a server's words is without what it was told in confidence."""

from __future__ import annotations

import pytest

from runtime.config import Command, InProcess, Owned, Remote, Secret
from runtime.servers.secrets import Secrets
from tests.fakes import SECRET, Fleet, serving, tool

COMMAND = Command(("run", Secret("--token=abcdef")), {"KEY": Secret("a-long-key"), "LEVEL": Secret("debug")})
REMOTE = Remote(
    Secret("https://user:pass%20word@example.org/mcp?key=from-a-query"), {"Authorization": Secret("Bearer t0ken-")}
)


@pytest.mark.parametrize(
    ("reach", "said", "shown"),
    [
        (COMMAND, "a-long-key and --token=abcdef", "*** and ***"),
        (COMMAND, "debug is too short to be told from other words", "debug is too short to be told from other words"),
        (REMOTE, "no such token: t0ken-; you sent 'Bearer t0ken-'", "no such token: ***; you sent '***'"),
        (REMOTE, "pass word? from-a-query?", "***? ***?"),
        (REMOTE, "Bearer is what I want", "Bearer is what I want"),
        (Remote("https://example.org/mcp?key=abcdefg"), "abcdefg", "abcdefg"),
        (Owned(COMMAND, REMOTE), "a-long-key, t0ken-", "***, ***"),
        (InProcess("a", "b"), "anything", "anything"),
    ],
)
def test_what_a_server_was_given_is_left_out(reach, said, shown):
    assert Secrets.of(reach).hide(said) == shown


async def test_a_flaw_of_a_list_is_told_without(autojump_clock):
    bad = {"tools": [tool("echo"), {"name": SECRET, "inputSchema": 3}]}
    async with Fleet({"a": serving({"tools/list": bad, "prompts/list": {"prompts": SECRET}})}).open() as host:
        flaws = host.status()["a"].flaws
        assert len(flaws) == 2
        assert SECRET not in str(flaws)
