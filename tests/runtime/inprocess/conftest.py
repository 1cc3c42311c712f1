"""A server of functions, in front of a client of each era."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.caller import Caller, served

Serve = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture(params=["modern", "legacy"])
def serve(request: pytest.FixtureRequest) -> Serve:
    """Opens a server for a client of each era."""

    def open(server: Any, offers: Any = None, **options: Any) -> AbstractAsyncContextManager[Caller]:
        return served(server, request.param, offers, **options)

    return open
