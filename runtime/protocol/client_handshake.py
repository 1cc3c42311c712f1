"""How a client agrees with a server on what to speak: one question at a time, and the events at the end.

The rules are in `state`; here they meet the messages.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import define, field
from msgspec import Raw

from . import codes
from .client_envelope import modern_meta
from .client_events import Opened, OpenFailed
from .errors import HandshakeFailed, InvalidMessage, LocalProtocolError, WireError
from .events import Send
from .jsonrpc import (
    ErrorResponse,
    RequestId,
    Response,
    encode_json,
    encode_notification,
    encode_request,
)
from .messages import ClientCapabilities, DiscoverResult, Implementation, InitializeResult
from .state import Meaning, State, advance, named_versions, probe_error_means, versions_mean
from .versions import LEGACY_VERSIONS, MODERN_VERSION, SERVER_INFO, Era, EraChoice
from .wire import from_wire, to_wire

__all__ = ["Handshake"]

Answer: TypeAlias = Response | ErrorResponse | InvalidMessage


@define(eq=False, repr=False)
class Handshake:
    """Asks until server and client agree or cannot. At most one of its requests is out; ids count from 1."""

    _info: Implementation
    _capabilities: ClientCapabilities
    _choice: EraChoice
    _remembered: Era | None
    state: State = field(default=State.IDLE, init=False)
    next_id: int = field(default=1, init=False)
    # What is out; what came before it is late.
    _asked: int | None = field(default=None, init=False)
    # The server may be modern for all that is known: no probe of it has been answered, none is forbidden.
    _may_be_modern: bool = field(default=False, init=False)
    # It has refused a revision and named the same one; it is taken at its second word.
    _asked_again: bool = field(default=False, init=False)
    # What `initialize` was refused with, and not in a modern server's words, should the probe after it not do better.
    _refusal: HandshakeFailed | None = field(default=None, init=False)

    def open(self) -> bytes:
        """The first line to write: the probe, or ``initialize`` where the era is chosen or remembered to be legacy."""
        if self.state is not State.IDLE:
            raise LocalProtocolError("the connection was opened before")
        self._may_be_modern = self._choice == "auto"
        if self._choice == "modern":
            return self._discover(Meaning.ASKED_MODERN_ONLY)
        if self._choice == "legacy" or self._remembered is Era.LEGACY:
            return self._initialize()
        return self._discover(Meaning.PROBED)

    def probe_expired(self) -> bytes:
        """See `ClientConnection.probe_expired`."""
        if self.state is not State.PROBING:
            raise LocalProtocolError("no probe is out")
        return self._initialize()

    def expects(self, id: RequestId | None) -> bool:
        """Whether an answer with this id is the one that is waited for.

        An error without an id can only mean the one request that is out; but only for a probe is there another
        way to go.
        """
        return self.state is State.PROBING if id is None else type(id) is int and id == self._asked

    def answered(self, message: Answer) -> list[Send | Opened | OpenFailed]:
        """What follows from the answer that was expected. One that cannot be read is an error like any other."""
        self._asked = None
        if self.state is State.INITIALIZING:
            return self._initialize_answered(message)
        return [self._discover_answered(message)]

    def _discover(self, meaning: Meaning) -> bytes:
        self.state = advance(self.state, meaning)
        return self._ask("server/discover", {"_meta": modern_meta(self._info, self._capabilities)})

    def _initialize(self) -> bytes:
        self.state = advance(self.state, Meaning.LEGACY)
        params = {
            "protocolVersion": LEGACY_VERSIONS[0],
            "capabilities": to_wire(self._capabilities),
            "clientInfo": to_wire(self._info),
        }
        return self._ask("initialize", {key: Raw(encode_json(value)) for key, value in params.items()})

    def _ask(self, method: str, params: dict[str, object]) -> bytes:
        id = self._asked = self.next_id
        self.next_id += 1
        return encode_request(id, method, params)

    def _discover_answered(self, message: Answer) -> Send | Opened | OpenFailed:
        self._may_be_modern = False
        if isinstance(message, ErrorResponse):
            supported = named_versions(message.error)
            failure = HandshakeFailed("server/discover", "refused", message.error, supported)
            means = probe_error_means(message.error)
        elif isinstance(message, InvalidMessage):
            failure, means = HandshakeFailed("server/discover", message.reason), Meaning.LEGACY
        else:
            try:
                result = from_wire(DiscoverResult, message.result)
            except WireError as error:
                failure, means = HandshakeFailed("server/discover", str(error)), Meaning.LEGACY
            else:
                means = versions_mean(result.supported_versions)
                if means is Meaning.DISCOVERED:
                    return self._discovered(result)
                failure = HandshakeFailed("server/discover", "no common revision", None, result.supported_versions)
        if means is Meaning.ASKED_AGAIN and not self._asked_again:
            self._asked_again = True
            return Send(self._discover(means))
        if means is Meaning.LEGACY and self.state is State.PROBING:
            return Send(self._initialize())
        if means is Meaning.LEGACY and self._refusal is not None:  # it is legacy after all, and has said why not
            failure = self._refusal
        return self._refused(failure)

    def _discovered(self, result: DiscoverResult) -> Opened:
        self.state = advance(self.state, Meaning.DISCOVERED)
        info: Implementation | None
        try:
            info = from_wire(Implementation, (result.meta or {})[SERVER_INFO])
        except (KeyError, WireError):  # for display only: its lack or its shape decides nothing
            info = None
        return Opened(
            Era.MODERN,
            MODERN_VERSION,
            info,
            result.capabilities,
            result.instructions,
            result.ttl_ms,
            result.cache_scope,
        )

    def _initialize_answered(self, message: Answer) -> list[Send | Opened | OpenFailed]:
        if isinstance(message, ErrorResponse):
            failure = HandshakeFailed("initialize", "refused", message.error, named_versions(message.error))
            return [self._initialize_failed(failure)]
        if isinstance(message, InvalidMessage):
            return [self._initialize_failed(HandshakeFailed("initialize", message.reason))]
        try:
            result = from_wire(InitializeResult, message.result)
        except WireError as error:
            return [self._refused(HandshakeFailed("initialize", str(error)))]
        version = result.protocol_version
        if version not in LEGACY_VERSIONS:
            return [self._refused(HandshakeFailed("initialize", "no common revision", None, (version,)))]
        self.state = advance(self.state, Meaning.INITIALIZED)
        return [
            Send(encode_notification("notifications/initialized")),
            Opened(Era.LEGACY, version, result.server_info, result.capabilities, result.instructions),
        ]

    def _initialize_failed(self, failure: HandshakeFailed) -> Send | OpenFailed:
        if not self._may_be_modern:
            return self._refused(failure)
        modern = failure.error is not None and failure.error.code in codes.MODERN_ERRORS
        self._refusal = None if modern else failure
        return Send(self._discover(Meaning.MODERN_AFTER_ALL))

    def _refused(self, error: HandshakeFailed) -> OpenFailed:
        self.state = advance(self.state, Meaning.REFUSED)
        return OpenFailed(error)
