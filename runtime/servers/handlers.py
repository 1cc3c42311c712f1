"""What servers may ask of the program that hosts them: its model, its user, the places that they may work in.

A handler is the program's own code. Whatever it does, its server gets an answer and nothing else is harmed.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, final

import msgspec
import trio
from attrs import frozen
from msgspec import Raw

from runtime.errors import Declined

if TYPE_CHECKING:
    from runtime.protocol import (
        ClientCapabilities,
        CreateMessageParams,
        CreateMessageResult,
        ElicitParams,
        ElicitResult,
        InputRequest,
        JsonRpcError,
        Part,
        Root,
    )

Sampling: TypeAlias = "Callable[[str, CreateMessageParams], Awaitable[CreateMessageResult]]"
"""Asks a language model for a server, whose name comes first. Raises `Declined` where it will not."""

Elicitation: TypeAlias = "Callable[[str, ElicitParams], Awaitable[ElicitResult]]"
"""Asks the user for a server, whose name comes first, by a form or by a page to open. To decline is an answer, too."""

Place: TypeAlias = "str | os.PathLike[str] | Root"
Roots: TypeAlias = "Iterable[Place] | Callable[[str], Awaitable[Iterable[Place]]]"
"""The directories and files that servers may work in, as they are or as found for the server that is named."""

DECLINED = -1  # what the specification's own examples answer with where the user has refused

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


class Unanswered(Exception):
    """There is no result for a server; ``error`` is what it is told instead."""

    def __init__(self, error: JsonRpcError) -> None:
        super().__init__(error)
        self.error = error


@final
@frozen(eq=False)
class Handlers:
    """What there is to answer servers with; None is not offered to them.

    ``failed`` is told, by server and method, of a handler that failed of its own.
    """

    sampling: Sampling | None = None
    elicitation: Elicitation | None = None
    roots: Roots | None = None
    failed: Callable[[str, str, Exception], object] = lambda server, method, error: None

    def capabilities(self) -> ClientCapabilities:
        """Return what is declared to a server."""
        from runtime.protocol import ClientCapabilities
        from runtime.protocol.versions import TASKS

        return ClientCapabilities(
            sampling=None if self.sampling is None else {},
            elicitation=None if self.elicitation is None else {"form": {}, "url": {}},
            roots=None if self.roots is None else {},
            extensions={TASKS: {}},
        )

    async def answer(self, server: str, method: str, params: Mapping[str, Any]) -> Raw:
        """Return the result that a server gets, spelled. Raises `Unanswered`, whatever the handler raises."""
        from runtime.protocol import JsonRpcError, WireError, codes, to_wire

        try:
            return Raw(_encode(to_wire(await self._ask(server, method, params))))
        except WireError as error:
            raise Unanswered(JsonRpcError(codes.INVALID_PARAMS, str(error))) from error
        except Declined as error:
            raise Unanswered(JsonRpcError(DECLINED, str(error))) from error
        except Exception as error:  # the host program's own code: its failure is told, and not spread
            self.failed(server, method, error)
            raise Unanswered(JsonRpcError(codes.INTERNAL_ERROR, f"{method} has failed at the client")) from error

    async def _ask(self, server: str, method: str, params: Mapping[str, Any]) -> Part:
        import runtime.protocol as protocol

        match method:
            case "sampling/createMessage" if self.sampling is not None:
                asked = protocol.from_wire(protocol.CreateMessageParams, params)
                return _checked(await self.sampling(server, asked), protocol.CreateMessageResult)
            case "elicitation/create" if self.elicitation is not None:
                kind: Any = protocol.ElicitUrlParams if params.get("mode") == "url" else protocol.ElicitFormParams
                try:
                    found = await self.elicitation(server, protocol.from_wire(kind, params))
                except Declined:
                    return protocol.ElicitResult(action="decline")
                return _checked(found, protocol.ElicitResult)
            case "roots/list" if self.roots is not None:
                places = await self.roots(server) if callable(self.roots) else self.roots
                return protocol.ListRootsResult(roots=tuple(map(_root, places)))
        raise Declined(f"{method} is not offered")

    async def gather(self, server: str, requests: Mapping[str, InputRequest]) -> dict[str, Raw]:
        """Answer all of a round at once. Raises `Unanswered` for the first that has no result; the others end then."""
        results: dict[str, Raw] = {}
        failures: list[Unanswered] = []

        async def one(key: str, request: InputRequest) -> None:
            try:
                results[key] = await self.answer(server, request.method, request.params)
            except Unanswered as error:
                failures.append(error)
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            for key, request in requests.items():
                nursery.start_soon(one, key, request)
        if failures:
            raise failures[0]
        return results


def _checked(found: object, kind: type[T]) -> T:
    if not isinstance(found, kind):
        raise TypeError(f"a handler is to return a {kind.__name__}, not {type(found).__name__}")
    return found


def _root(place: Place) -> Root:
    from runtime.protocol import Root

    return place if isinstance(place, Root) else Root(uri=Path(os.path.abspath(os.path.expanduser(place))).as_uri())
