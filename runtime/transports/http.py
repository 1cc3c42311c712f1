"""A server reached by its URL: Streamable HTTP of both eras, and HTTP+SSE, as one channel of messages.

Every message that is sent becomes an HTTP exchange, a task of the transport's own; every message that comes back,
by whichever answer or stream, is received as a line. The connection above reads and writes as it would on a pipe:
what HTTP itself has to say of a request (a status, a broken stream, nobody there) comes as a JSON-RPC error that
answers it, with the codes that `runtime.transports` names.

What differs between the eras is read off the messages that pass. A *modern* request names its revision in ``_meta``;
to cancel it is to close its exchange, and a broken stream is a lost request. A *legacy* session begins with
``initialize``; a second stream brings what the server says unasked, broken streams are resumed where the server
numbers its events, and a session that the server has forgotten is begun anew, once for each message it refuses.
*HTTP+SSE* (2024-11-05) has one stream for all that the server says, and its end is the end.

Messages of one stream keep their order. Requests that overlap may overtake each other, on the way and at the
server, as in HTTP they do; only what follows ``notifications/initialized`` waits until that has been taken.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from enum import Enum
from functools import partial
from math import inf
from typing import Any, Literal, TypeAlias, final

import httpx2
import trio
from attrs import define, field, frozen
from msgspec import Raw

from runtime.protocol.jsonrpc import RequestId, encode_notification, encode_request
from runtime.tasks import beside

from . import NotSent, Transport, Unauthorized, Unreachable
from .events import EventStream
from .exchange import (
    Outgoing,
    Refusal,
    Session,
    Verdict,
    agreed_version,
    answers,
    error_in,
    is_event_stream,
    messages_in,
    mirrored_parameters,
    next_cursor,
    outgoing,
    refusal_line,
    request_headers,
    result_in,
    session_headers,
    session_id_in,
    unanswered_line,
    verdict,
)
from .headers import ParameterHeaders
from .queues import Inbox, Outbox
from .turns import Turns
from .web import Headers, HttpTimeouts, Lost, TooLarge, Web, address_of, open_web

__all__ = ["HttpStatistics", "HttpTimeouts", "HttpTransport", "HttpType", "Way", "address_of", "open_http"]

MESSAGE_LIMIT = 64 * 1024 * 1024
OUTGOING_LIMIT = 4 * 1024 * 1024
INCOMING_LIMIT = 4 * 1024 * 1024
EXCHANGES = 64
ERRANDS = 16  # notifications, and answers to the server, under way at once

_POST = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
_GET = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
_TELLING = ("initialize", "tools/list")  # from whose results the transport learns
_REDIRECTS = 3  # in a row
_MOVED = (301, 302, 303, 307, 308)
_PAGES = 100  # of the list of tools, when it is listed anew to learn a call's headers
_ENDING = 1.0  # seconds that a stream has to end once its answer is there
_PAUSE = 1.0  # seconds until a stream is opened again, where it does not say; then twice as long each time
_SHORTEST_PAUSE = 0.05  # whatever it says
_LONGEST_PAUSE = 30.0
_LISTENING = 0.5  # seconds that the second stream of a session may take to open before messages go on without it
_RESUMPTIONS = 8  # in a row that bring nothing

HttpType: TypeAlias = Literal["http", "sse"]
"""Streamable HTTP or HTTP+SSE, as the configuration calls them."""


class Way(Enum):
    """How an address turned out to be spoken to."""

    MODERN = "modern"
    LEGACY = "legacy"
    SSE = "sse"


@final
@frozen
class HttpStatistics:
    """``queued_bytes`` were sent and not yet answered by HTTP; ``senders_waiting`` tasks wait in `send` for room;
    ``received_bytes`` wait to be received. ``exchanges`` are under way, and ``parked`` requests wait to be one.
    ``sessions`` is how many were begun, and ``refused`` counts what needs no answer and was not taken."""

    queued_bytes: int
    senders_waiting: int
    received_bytes: int
    exchanges: int
    parked: int
    sessions: int
    refused: int


@asynccontextmanager
async def open_http(
    url: str,
    *,
    type: HttpType | None = None,
    headers: Headers | None = None,
    timeouts: HttpTimeouts | None = None,
    ways: MutableMapping[str, Way] | None = None,
    on_renewed: Callable[[], object] | None = None,
    message_limit: int = MESSAGE_LIMIT,
    outgoing_limit: int = OUTGOING_LIMIT,
    incoming_limit: int = INCOMING_LIMIT,
    exchanges: int = EXCHANGES,
    verify: ssl.SSLContext | bool = True,
) -> AsyncIterator[HttpTransport]:
    """The channel to the server at ``url``, for as long as the block. Nothing is sent before the first message is.

    Args:
        type: which transport it speaks; None finds out: when ``initialize`` meets 400, 404 or 405, and no error
            of a modern server, the same address is tried for HTTP+SSE.
        headers: sent with every request, to this origin alone: a redirect to another one is refused. A function
            is called for each request, so that a token may change. The transport's own headers go before them.
        ways: how addresses were spoken to before, by `address_of` the url; it is read and written here, and read
            by whoever chooses the era: where it says ``LEGACY`` or ``SSE``, ``initialize`` may come first. A way
            that proves wrong is forgotten.
        on_renewed: called when a legacy server has forgotten the session and a new one was begun, unseen by the
            connection above: what was told the old one (subscriptions, the log level) is to be told again. It
            must not block or raise, and may send.
        message_limit: bytes of one message received, decompressed; a larger one is lost.
        outgoing_limit: bytes sent that no server has taken yet, beyond which `send` waits.
        incoming_limit: bytes received and not handed out, beyond which no stream is read on.
        exchanges: requests under way at once, beside subscriptions; more of them wait, each in its turn.
        verify: the certificates to trust; True: the system's.

    What `receive` raises at the end of all: `Unauthorized`, `Unreachable`, `trio.EndOfChannel` (only HTTP+SSE).
    """
    key = address_of(url)
    known = ways.get(key) if ways is not None else None
    async with open_web(url, headers or {}, timeouts or HttpTimeouts(), message_limit, verify) as web:
        transport = HttpTransport(
            web,
            type or ("sse" if known is Way.SSE else None),
            type == "sse",
            message_limit,
            Turns(exchanges),
            Inbox(incoming_limit),
            outgoing_limit,
            partial(_remember, {} if ways is None else ways, key),
            on_renewed or _nobody_asks,
        )
        async with beside(transport._run):
            try:
                yield transport
            finally:
                with trio.CancelScope(shield=True):
                    await transport.aclose()


def _remember(ways: MutableMapping[str, Way], key: str, way: Way | None) -> None:
    if way is None:
        ways.pop(key, None)
    else:
        ways[key] = way


def _nobody_asks() -> None:
    pass


@final
@define(eq=False, repr=False)
class HttpTransport(Transport):
    """The channel to a server behind a URL. Made by `open_http`."""

    _web: Web
    _type: HttpType | None  # None until it is known; then "http" or "sse"
    _type_is_given: bool
    _message_limit: int
    _requests: Turns[Outgoing]
    _inbox: Inbox
    _outgoing_limit: int
    _remember: Callable[[Way | None], None]
    _on_renewed: Callable[[], object]
    _outbox: Outbox[Outgoing] = field(init=False)
    _exchanges: dict[RequestId, Outgoing] = field(factory=dict, init=False)  # requests not yet over
    _errands: Turns[Outgoing] = field(factory=lambda: Turns(ERRANDS), init=False)  # what needs no answer
    _unreleased: set[Outgoing] = field(factory=set, init=False)  # taken from the outbox, and not by the peer
    _tools: dict[str, ParameterHeaders] = field(factory=dict, init=False)
    _session: Session | None = field(default=None, init=False)  # of the legacy era
    _greeting: Outgoing | None = field(default=None, init=False)  # the ``initialize`` that began it
    _sessions: int = field(default=0, init=False)
    _renewing: trio.Lock = field(factory=trio.Lock, init=False)
    _renewals: int = field(default=0, init=False)  # tried, whatever came of them
    _hearing: trio.CancelScope = field(factory=trio.CancelScope, init=False)  # around the session's second stream
    _listens: trio.Event | None = field(default=None, init=False)  # set once the server has answered to that one
    _endpoint: httpx2.URL | None = field(default=None, init=False)  # where HTTP+SSE wants its messages
    _proven: bool = field(default=False, init=False)  # it has answered, other than by asking for credentials
    _modern: bool = field(default=False, init=False)  # it has taken a modern request
    _refused: int = field(default=0, init=False)
    _questions: int = field(default=0, init=False)  # asked by the transport itself
    _first: Outgoing | None = field(default=None, init=False)  # under way, and what follows waits for it
    _nursery: trio.Nursery | None = field(default=None, init=False)
    _running: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _stopped: trio.Event = field(factory=trio.Event, init=False)
    _closing: bool = field(default=False, init=False)
    _closed: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._outbox = Outbox(self._outgoing_limit, self._dispatch)

    @property
    def way(self) -> Way | None:
        """How the server turned out to be spoken to; None until it has answered."""
        if self._endpoint is not None:
            return Way.SSE
        return Way.LEGACY if self._session is not None else Way.MODERN if self._modern else None

    def statistics(self) -> HttpStatistics:
        return HttpStatistics(
            self._outbox.size,
            self._outbox.senders_waiting,
            self._inbox.size,
            len(self._exchanges) - len(self._requests.parked),
            len(self._requests.parked),
            self._sessions,
            self._refused,
        )

    # The channel

    def send_nowait(self, message: bytes) -> None:
        self._check_open()
        out = outgoing(message)
        if not self._stays_here(out):
            with self._expecting(out):
                self._outbox.put_nowait(out)

    async def send(self, message: bytes) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        out = outgoing(message)
        if self._stays_here(out):
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            with self._expecting(out):
                await self._outbox.put(out)

    async def receive(self) -> bytes:
        return await self._inbox.receive()

    async def receive_batch(self) -> list[bytes]:
        return await self._inbox.receive_batch()

    async def aclose(self) -> None:
        """Ends every exchange, and a legacy session by DELETE; cancelled, without."""
        if self._closing:
            await self._closed.wait()
            return
        self._closing = True
        try:
            self._inbox.close()
            self._outbox.end(trio.ClosedResourceError, "this transport was closed")
            self._running.cancel()
            await self._stopped.wait()
            if self._session is not None and self._session.id is not None:
                await self._end_session(self._session)
        finally:
            self._closed.set()

    def _check_open(self) -> None:
        if self._closing:
            raise trio.ClosedResourceError("this transport is closed")

    @contextmanager
    def _expecting(self, out: Outgoing) -> Iterator[None]:
        """A request can be cancelled from here on, unless it could not be sent."""
        if out.id is not None:
            self._exchanges[out.id] = out
        try:
            yield
        except BaseException:
            self._unexpect(out)
            raise

    def _unexpect(self, out: Outgoing) -> None:
        if out.id is not None and self._exchanges.get(out.id) is out:
            del self._exchanges[out.id]

    def _stays_here(self, out: Outgoing) -> bool:
        """Whether a message is not posted: an answer to a modern server, which may not ask and must not be answered,
        or the cancellation of a modern request, whose exchange is closed, or of any that has not been posted yet.
        """
        if out.method is None:
            return self.way is Way.MODERN
        if out.cancels is None:
            return False
        cancelled = self._exchanges.get(out.cancels)
        if cancelled is None:  # it is over; a legacy server may still be told
            return self._session is None and self._type != "sse" and self._endpoint is None
        if self._requests.leave(cancelled):
            self._forget(cancelled)
        elif cancelled.version is None:
            return False
        cancelled.scope.cancel()
        return True

    def _fail(self, error: trio.BrokenResourceError | trio.EndOfChannel) -> None:
        """The whole connection is of no further use."""
        self._inbox.end(error)
        self._outbox.end(trio.BrokenResourceError, str(error) or "the server has ended the connection")
        self._running.cancel()

    # Exchanges

    async def _run(self) -> None:
        """Is what all exchanges and streams belong to."""
        try:
            with self._running:
                async with trio.open_nursery() as self._nursery:
                    self._dispatch()
                    await trio.sleep_forever()
        finally:
            self._nursery = None
            self._stopped.set()

    def _dispatch(self) -> None:
        """Begins an exchange for each message that waits, in their order, as far as they may begin."""
        while self._nursery is not None and self._first is None and (out := self._outbox.take_nowait()) is not None:
            self._unreleased.add(out)
            if self._type == "sse" or self._endpoint is not None or out.method == "notifications/initialized":
                self._first = out
            turns = self._turns_of(out)
            if turns is None or turns.take(out):
                self._nursery.start_soon(self._exchange, out, turns)

    def _turns_of(self, out: Outgoing) -> Turns[Outgoing] | None:
        """None: it needs no turn, for it may last for ever. An answer to the server never waits for a request."""
        if out.is_long:
            return None
        return self._errands if out.id is None else self._requests

    async def _exchange(self, out: Outgoing, turns: Turns[Outgoing] | None) -> None:
        try:
            with out.scope:
                if self._type == "sse" and self._endpoint is None:
                    await self._open_sse()
                await self._converse(out)
                if out.method == "notifications/initialized":
                    await self._until_it_listens()
                if out.cancels is not None and (cancelled := self._exchanges.get(out.cancels)) is not None:
                    # The server knows, if it can be told; most never end the stream of what is cancelled.
                    cancelled.scope.cancel()
        finally:
            self._forget(out)
            if turns is not None and (next_one := turns.give_back()) is not None and self._nursery is not None:
                self._nursery.start_soon(self._exchange, next_one, turns)
            if self._first is out:
                self._first = None
            self._dispatch()

    def _forget(self, out: Outgoing) -> None:
        self._release(out)
        self._unexpect(out)

    def _release(self, out: Outgoing) -> None:
        """The peer has it."""
        if out in self._unreleased:
            self._unreleased.remove(out)
            self._outbox.release(out.size)

    async def _converse(self, out: Outgoing) -> None:
        """Posts a message until it is answered, refused or lost; whatever becomes of a request, a line says so."""
        renewed = learned = False
        redirects = 0
        while True:
            session = self._session
            headers = request_headers(out, session, self._tools)
            try:
                refusal = await self._post(out, session, headers)
            except NotSent as error:
                return await self._not_sent(out, str(error))
            except Lost as error:
                return await self._lose(out, str(error))
            match refusal:
                case None:
                    return None
                case Refusal(Verdict.SESSION_OVER) if session is not None and not renewed:
                    renewed = True
                    if await self._renewed(session):
                        continue
                case Refusal(Verdict.REFUSED, 400) if session is not None and session.id and not renewed:
                    renewed = True  # that is how many say what 404 is for
                    if await self._is_forgotten(session) and await self._renewed(session):
                        continue
                case Refusal(Verdict.MOVED) if redirects < _REDIRECTS and refusal.location:
                    redirects += 1
                    self._move(refusal.location)
                    continue
                case Refusal(Verdict.REFUSED) if out.method == "initialize" and await self._speaks_sse(refusal):
                    continue
                case Refusal(Verdict.REFUSED) if out.meta and not learned and refusal.is_mismatch:
                    learned = True
                    await self._list_tools(out.meta)
                    if request_headers(out, session, self._tools) != headers:
                        continue
            return await self._refuse(out, refusal)

    async def _post(self, out: Outgoing, session: Session | None, headers: dict[str, str]) -> Refusal | None:
        """One exchange. Raises `NotSent` and `Lost`."""
        at = self._endpoint
        timeouts = self._web.timeouts
        patience = timeouts.acknowledge if out.id is None or at is not None else timeouts.answer
        stream = EventStream(self._message_limit)
        reason, body = "its stream ended without it", b""
        async with self._web.ask("POST", {**_POST, **headers}, out.line, patience=patience, at=at) as response:
            content_type = response.headers.get("content-type", "")
            meaning = verdict(
                out, response.status_code, content_type, session, proven=self._proven, elsewhere=at is not None
            )
            self._release(out)
            self._proven |= meaning is not Verdict.UNAUTHORIZED
            if out.method == "initialize":
                out.session_id = session_id_in(response.headers)
            match meaning:
                case Verdict.ACCEPTED:
                    if out.method == "notifications/initialized" and session is not None:
                        self._hear_from(session)
                    if not is_event_stream(response.status_code, content_type):
                        with trio.move_on_after(_ENDING):  # so that the connection can be used again
                            await self._web.excerpt(response)
                    return None
                case Verdict.MESSAGE:
                    body = await self._web.body(response)
                case Verdict.EVENTS:
                    try:
                        await self._take_events(response, stream, out)
                    except TooLarge:
                        raise
                    except Lost as error:
                        reason = str(error)
                case _:
                    return await self._refusal(meaning, response, out)
        if meaning is Verdict.MESSAGE:  # whoever hears of it and asks the next thing finds the connection free
            await self._take_body(body, out)
        elif not out.answered:
            if out.version is not None or not stream.can_be_resumed:
                raise Lost(reason)
            await self._resume(out, stream)
        return None

    async def _refusal(self, verdict: Verdict, response: httpx2.Response, out: Outgoing) -> Refusal:
        may_tell = out.id is not None and "json" in response.headers.get("content-type", "")
        body = await (self._web.body(response) if may_tell else self._web.excerpt(response))
        return Refusal(
            verdict,
            response.status_code,
            body,
            response.headers.get("content-type", ""),
            response.headers.get("www-authenticate"),
            self._web.redirected(response),
            self._web.target(response),
        )

    def _move(self, url: str) -> None:
        if self._endpoint is None:
            self._web.move(url)
        else:
            self._endpoint = httpx2.URL(url)

    # What comes back

    async def _take(self, line: bytes, out: Outgoing | None = None) -> None:
        """Hands a message out, once the transport itself has learnt from it."""
        if out is not None and out.id is not None and answers(line, out.id):
            out.answered = True
            if out.own or out.method in _TELLING or (out.version is not None and not self._modern):
                out.result = result_in(line)
                if out.result is not None:
                    self._learn(out, out.result)
            if out.own:
                return
        await self._inbox.put(line)

    async def _take_body(self, body: bytes, out: Outgoing) -> None:
        for line in messages_in(body):
            if out.id is not None and not answers(line, out.id) and error_in(line) is not None:
                line = refusal_line(out.id, 200, line)  # it names no request, or none of ours: it means this one
            await self._take(line, out)
        if not out.answered:
            raise Lost("what came instead answers something else")

    async def _take_events(self, response: httpx2.Response, stream: EventStream, out: Outgoing | None = None) -> None:
        """Takes what a stream brings until it ends; an answered request's stream has a moment to do so."""
        with trio.CancelScope() as ending:
            async with aclosing(self._web.events(response, stream)) as events:
                async for event in events:
                    for line in messages_in(event.data) if event.type == "message" else ():
                        await self._take(line, out)
                    if out is not None and out.answered and ending.deadline == inf:
                        ending.deadline = trio.current_time() + _ENDING

    def _learn(self, out: Outgoing, result: Raw) -> None:
        if out.version is not None and not self._modern:
            self._modern = True
            self._remember(Way.MODERN)
        if out.method == "initialize":
            self._greeting = out
            self._session = Session(agreed_version(result), out.session_id)
            self._sessions += 1
            self._remember(Way.LEGACY)
        elif out.method == "tools/list" and out.version is not None:
            if out.first_page:
                self._tools.clear()
            self._tools |= mirrored_parameters(result)

    async def _refuse(self, out: Outgoing, refusal: Refusal) -> None:
        if out.id is None:
            self._refused += 1
        else:
            await self._inbox.put(refusal.line(out.id))
        if refusal.verdict is Verdict.UNAUTHORIZED:
            self._fail(Unauthorized(refusal.status, refusal.challenge))

    async def _not_sent(self, out: Outgoing, reason: str) -> None:
        if not self._web.reached:
            self._fail(Unreachable(self._web.address, reason))
        elif out.id is None:
            self._refused += 1
        else:
            await self._inbox.put(unanswered_line(out.id, reason, sent=False))

    async def _lose(self, out: Outgoing, reason: str) -> None:
        if out.id is None:
            self._refused += 1
        elif not out.answered:
            await self._inbox.put(unanswered_line(out.id, reason, sent=True))

    # The legacy session

    def _hear_from(self, session: Session) -> None:
        """Opens the stream by which the server speaks unasked, in place of the one before."""
        self._hearing.cancel()
        self._hearing, self._listens = trio.CancelScope(), trio.Event()
        assert self._nursery is not None
        self._nursery.start_soon(self._hear, session, self._hearing, self._listens)

    async def _until_it_listens(self) -> None:
        """Lets that stream open before the next message goes out.

        Servers drop, and say nothing of it, what they would ask by that stream while it is not open yet.
        """
        if self._listens is not None:
            with trio.move_on_after(_LISTENING):
                await self._listens.wait()

    async def _hear(self, session: Session, scope: trio.CancelScope, listens: trio.Event) -> None:
        """Keeps that stream open as long as the server offers one: 405 says that it does not."""
        stream = EventStream(self._message_limit)
        barren = 0  # streams in a row that brought nothing
        with scope:
            while True:
                headers = {**_GET, **session_headers(session), **_resume_at(stream)}
                with suppress(NotSent, Lost):  # a later try may find the server again; a request will, or say so
                    async with self._web.ask("GET", headers) as response:
                        listens.set()
                        if 400 <= response.status_code < 500 and response.status_code not in (408, 425, 429):
                            return
                        if is_event_stream(response.status_code, response.headers.get("content-type", "")):
                            await self._take_events(response, stream)
                listens.set()
                barren = 0 if stream.brought else barren + 1
                await trio.sleep(_pause(stream, barren))
                stream = stream.again()

    async def _resume(self, out: Outgoing, stream: EventStream) -> None:
        """Fetches the rest of a legacy answer, whose stream has ended before it. Raises `NotSent` and `Lost`."""
        barren = 0
        while not out.answered:
            await trio.sleep(_pause(stream, barren))
            stream = stream.again()
            headers = {**_GET, **session_headers(self._session), **_resume_at(stream)}
            try:
                async with self._web.ask("GET", headers) as response:
                    status = response.status_code
                    resumed = is_event_stream(status, response.headers.get("content-type", ""))
                    if resumed:
                        await self._take_events(response, stream, out)
            except TooLarge:
                raise
            except (NotSent, Lost):
                resumed = True  # as far as it went
            barren = 0 if stream.brought else barren + 1
            if not resumed or barren > _RESUMPTIONS:
                raise Lost("its stream ended without it, and could not be resumed")

    async def _is_forgotten(self, session: Session) -> bool:
        """Whether it knows the session so little that it does not even answer a ping in it."""
        self._questions += 1
        return not await self._ask(outgoing(encode_request(f"transport-{self._questions}", "ping", {})), session)

    async def _renewed(self, over: Session) -> bool:
        """Whether there is another session than the one that is over; one task begins it, or fails to, for all that
        ask meanwhile."""
        renewals = self._renewals
        async with self._renewing:
            if self._session is over and self._greeting is not None and self._renewals == renewals:
                again = outgoing(self._greeting.line)
                if await self._ask(again, None) and self._session is not over:
                    await self._ask(outgoing(encode_notification("notifications/initialized")), self._session)
                    await self._until_it_listens()
                    self._on_renewed()
                self._renewals += 1
            return self._session is not over

    async def _end_session(self, session: Session) -> None:
        with trio.move_on_after(self._web.timeouts.close), suppress(NotSent, Lost):
            async with self._web.ask("DELETE", session_headers(session)):
                pass  # 405: the server lets none but itself end a session

    # What the transport asks itself

    async def _ask(self, out: Outgoing, session: Session | None) -> bool:
        """Posts a message of the transport's own; its answer is learnt from and goes no further. It has as long as an
        acknowledgement, for messages of others wait for it that have no say in it."""
        out.own = True
        patience = self._web.timeouts.acknowledge
        with trio.move_on_after(inf if patience is None else patience), suppress(NotSent, Lost):
            return await self._post(out, session, request_headers(out, session, {})) is None
        return False

    async def _list_tools(self, meta: Raw) -> None:
        """Learns from the list of tools which parameters are mirrored, as a call was refused that mirrored others."""
        cursor: str | None = None
        for _ in range(_PAGES):
            params: dict[str, Any] = {"_meta": meta} if cursor is None else {"cursor": cursor, "_meta": meta}
            self._questions += 1
            out = outgoing(encode_request(f"transport-{self._questions}", "tools/list", params))
            if not await self._ask(out, None) or out.result is None:
                return
            cursor = next_cursor(out.result)
            if cursor is None:
                return

    # HTTP+SSE

    async def _speaks_sse(self, refusal: Refusal) -> bool:
        """Whether a server that took no ``initialize`` speaks HTTP+SSE at the same address; if so, it does so now."""
        if self._type is not None or refusal.status not in (400, 404, 405) or refusal.is_modern:
            return False
        assert self._nursery is not None
        if await self._nursery.start(self._read_sse) is not None:
            return False
        self._remember(Way.SSE)
        return True

    async def _open_sse(self) -> None:
        assert self._nursery is not None
        failure = await self._nursery.start(self._read_sse)
        if failure is None:
            self._remember(Way.SSE)
        elif self._type_is_given or not isinstance(failure, Unreachable) or not self._web.reached:
            self._fail(failure)
        else:
            self._type = None  # it was, and is no longer
            self._remember(None)

    async def _read_sse(
        self, task_status: trio.TaskStatus[Unauthorized | Unreachable | None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Reads all that an HTTP+SSE server says; started once it has named its endpoint, or failed to."""
        failure: Unauthorized | Unreachable
        try:
            failure = await self._take_sse(task_status)
        except (NotSent, Lost) as error:
            failure = Unreachable(self._web.address, str(error))
        if self._endpoint is None:
            task_status.started(failure)
        else:
            self._fail(trio.EndOfChannel())

    async def _take_sse(
        self, task_status: trio.TaskStatus[Unauthorized | Unreachable | None]
    ) -> Unauthorized | Unreachable:
        for _ in range(1 + _REDIRECTS):
            async with self._web.ask("GET", _GET, patience=self._web.timeouts.acknowledge) as response:
                if response.status_code not in _MOVED or not (elsewhere := self._web.redirected(response)):
                    return await self._take_sse_events(response, task_status)
            self._web.move(elsewhere)
        return Unreachable(self._web.address, "it redirects in circles")

    async def _take_sse_events(
        self, response: httpx2.Response, task_status: trio.TaskStatus[Unauthorized | Unreachable | None]
    ) -> Unauthorized | Unreachable:
        status, patience = response.status_code, self._web.timeouts.acknowledge
        if status in (401, 403):
            return Unauthorized(status, response.headers.get("www-authenticate"))
        if not is_event_stream(status, response.headers.get("content-type", "")):
            return Unreachable(self._web.address, f"HTTP {status} to GET, and no event stream")
        stream = EventStream(self._message_limit)
        with trio.move_on_after(inf if patience is None else patience) as naming:
            async with aclosing(self._web.events(response, stream)) as events:
                async for event in events:
                    if self._endpoint is not None:
                        for line in messages_in(event.data) if event.type == "message" else ():
                            await self._inbox.put(line)
                    elif event.type == "endpoint":
                        self._endpoint = self._web.same_origin(event.data.decode("utf-8", "replace"))
                        if self._endpoint is None:
                            return Unreachable(self._web.address, "it names an endpoint of another origin")
                        naming.deadline = inf
                        self._proven = True
                        task_status.started(None)
        return Unreachable(self._web.address, "an event stream that names no endpoint")


def _resume_at(stream: EventStream) -> dict[str, str]:
    return {"Last-Event-ID": stream.last_id} if stream.can_be_resumed else {}


def _pause(stream: EventStream, barren: int) -> float:
    """Seconds until a stream is asked for again."""
    asked = _PAUSE if stream.retry is None else stream.retry / 1000
    if barren:
        asked = max(asked, _PAUSE * 2.0 ** min(barren, 10))
    return min(max(asked, _SHORTEST_PAUSE), _LONGEST_PAUSE)
