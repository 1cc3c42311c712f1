"""Properties that are tried on drawn examples, and that can be tried again on a kernel with a planted bug."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

Claim = Callable[..., None]

_drawn_from: dict[Claim, tuple[Claim, tuple[st.SearchStrategy[Any], ...]]] = {}


def claim(*drawn: st.SearchStrategy[Any], examples: int) -> Callable[[Claim], Claim]:
    """Make a test of a function that raises where what it claims of an example does not hold."""

    def decorate(holds: Claim) -> Claim:
        test: Claim = settings(max_examples=examples, deadline=None)(given(*drawn)(holds))
        _drawn_from[test] = holds, drawn
        return test

    return decorate


def is_refuted(test: Claim, examples: int) -> bool:
    """Look for an example against a claim: the same ones each time, and without shrinking what is found."""
    holds, drawn = _drawn_from[test]

    def fails(example: tuple[Any, ...]) -> bool:
        try:
            holds(*example)
        except Exception:  # noqa: BLE001  # a planted bug may show itself in any way
            return True
        return False

    quick = settings(max_examples=examples, phases=[Phase.generate], database=None, deadline=None)
    try:
        find(st.tuples(*drawn), fails, settings=quick, random=random.Random(0))
    except NoSuchExample:
        return False
    return True
