"""The soak in short, and what turns it red."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors.mailbox import Mailbox
from actors.supervision.child import Child

from . import soak

FEW = 10_000


def test_a_tree_that_keeps_failing_ends_every_ask_and_its_memory_is_flat(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(FEW, seed=1) == 0
    assert f"{FEW} of {FEW} messages ended" in capsys.readouterr().out


def _forget(mailbox: Mailbox, _: object) -> None:
    mailbox.current = mailbox.owed = None


def _keep(before: Callable[..., None], kept: list[object]) -> Callable[..., None]:
    def fall(child: Child, *arguments: Any) -> None:
        kept.append([bytearray(1000) for _ in range(10)])
        before(child, *arguments)

    return fall


def test_a_lost_ask_and_a_leak_turn_it_red(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with monkeypatch.context() as planted:
        planted.setattr(Child, "_fall", _keep(Child._fall, []))
        assert soak.main(FEW, seed=1) == 1
    with monkeypatch.context() as planted:
        planted.setattr(Mailbox, "answer_owed", _forget)
        assert soak.main(FEW // 10, seed=3) == 1
    assert "lost" in capsys.readouterr().out
