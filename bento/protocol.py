"""HTTP/1.1 as uvicorn speaks it, but for a few things.

Requests that a `Handler` takes are answered without ASGI: its messages, tasks and events take longer than the
rest of such a request. The head and the body of an answer leave in one packet: uvicorn writes them one after
the other, and each write wakes the caller. And nobody can make the server keep more and more: a connection on
which no request is complete in time is closed, and so is one whose answers are not taken; heads are bounded,
and so is what is read of a body that has its answer; a caller of whom requests wait is not listened to.
"""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

import httptools
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from bento.transport import CoalescingTransport, Flow, Rest

Headers = list[tuple[bytes, bytes]]
Reply = Callable[[int, Headers, bytes], bool]
Refuse = Callable[[int, str], tuple[Headers, bytes]]

REQUEST_WITHIN_S = 30
FIRST_WITHIN_S = 5  # when the server leaves
HEAD_BYTES = 1 << 16  # of a request, about
UNREAD_BYTES = 1 << 22  # of what nobody needs, read so that its caller comes to read the answer

_NEXT_WITHIN_S = 0.1  # when the server leaves: what was sent before its caller could know
_UNSENT_WITHIN_S = 5  # a closed connection's last answer has to be taken
_CLOSE = (b"connection", b"close")
_LARGE_HEAD = f"the head of a request may have {HEAD_BYTES} bytes"


class Call(Protocol):
    """One request that is answered without ASGI."""

    def answer(self, body: bytes, reply: Reply) -> None:
        """Answer it, now that its body is complete.

        Args:
            body: All of it.
            reply: To be called once, now or later, with status, headers (also `content-length`) and body;
                it tells whether the caller was still there.
        """

    def disconnect(self) -> None:
        """Hear that its caller left before `reply` was called."""


class Handler(Protocol):
    """Answers some requests without ASGI."""

    def take(self, scope: Scope) -> Call | None:
        """Begin a request whose head is complete, or leave it to ASGI.

        Args:
            scope: As in ASGI.
        """


class HttpProtocol(HttpToolsProtocol):
    """What uvicorn's `http` setting takes; with `partial`, as it needs to know the handler."""

    _request_timer: asyncio.TimerHandle | None = None
    _head_bytes: int | None = None  # of a head that is not complete, since the data that it began in
    _in_request = False
    _arrived = 0  # bytes, last
    _unread = 0  # bytes of a request that has its answer
    _refused = False
    _upgrades = False  # the head that came last asks for another protocol
    _current: tuple[RequestResponseCycle, Call] | None = None

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - uvicorn's
        handler: Handler | None = None,
        refuse: Refuse = lambda _status, _why: ([(b"content-length", b"0")], b""),
        **kwargs: Any,  # noqa: ANN401 - uvicorn's
    ) -> None:
        """Make one.

        Args:
            args: uvicorn's.
            handler: Answers some requests without ASGI.
            refuse: Says with which headers (also `content-length`) and body to answer what cannot be read.
            kwargs: uvicorn's.
        """
        super().__init__(*args, **kwargs)
        self._handler = handler
        self._say = refuse

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a connection."""
        self._coalescing = CoalescingTransport(transport, self.loop)
        super().connection_made(cast("asyncio.Transport", self._coalescing))
        self.flow = Flow(transport, self.pipeline)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """End with a connection."""
        self._disarm()
        super().connection_lost(exc)
        if self._current is not None:
            (_, call), self._current = self._current, None
            call.disconnect()

    def data_received(self, data: bytes) -> None:
        """Take what arrived, which may be no request at all, or the rest of one that has its answer."""
        self._arrived = len(data)
        if self._head_bytes is not None:
            self._head_bytes += self._arrived
        self._parse(data)
        if (self._head_bytes or 0) > HEAD_BYTES:
            self._refuse(431, _LARGE_HEAD)
        idle = self._idle
        if idle and self._in_request:
            self._unread += self._arrived
            if self._unread > UNREAD_BYTES:
                self._close()
        waits = self._in_request or (idle and self.timeout_keep_alive_task is None)
        if waits and self._request_timer is None:
            self._arm()

    def _parse(self, data: bytes) -> None:
        """Do what uvicorn does, but stay with HTTP/1.1 where another protocol is asked for.

        The parser takes what follows such a head for that protocol's, and the body is lost: Java's client
        asks in its first request. So the head is read again, without the wish.
        """
        self._unset_keepalive_if_required()
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserError as error:
                self.send_400_response(str(error))
            except httptools.HttpParserUpgrade as upgrade:
                if self._upgrades:
                    data = self._head_without_upgrade() + data[upgrade.args[0] :]
                    continue
            return

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join((*lines, b"", b""))

    def on_message_begin(self) -> None:
        """Begin with a request."""
        super().on_message_begin()
        self._disarm()
        self._in_request = True
        self._head_bytes = self._unread = 0

    def on_headers_complete(self) -> None:
        """Begin to answer, or let it wait until what came before it is answered."""
        may_be_large = self._head_bytes or self._arrived > HEAD_BYTES
        self._head_bytes = None
        if may_be_large and sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            raise _RefusedError(431, _LARGE_HEAD)
        for name, _ in self.headers:
            if name == b"host":
                break
        else:
            if self.parser.get_http_version() == "1.1":
                raise _RefusedError(400, "not HTTP/1.1: it has no Host")
        self._upgrades = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._upgrades:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Go on without the clock: what an answer may take is for others to say."""
        if self._upgrades:
            return
        self._disarm()
        self._in_request = False
        super().on_message_complete()
        if self._current is not None and self._current[0] is self.cycle:
            self._answer()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser raised, which uvicorn is about to handle."""
        match error := sys.exception():
            case httptools.HttpParserCallbackError(__context__=_RefusedError() as refused):
                self._refuse(refused.status, refused.why)
            case httptools.HttpParserCallbackError():
                self._refuse(400, "not HTTP/1.1: its head cannot be read")
            case _:
                self._refuse(400, f"not HTTP/1.1: {error or msg}")

    def timeout_keep_alive_handler(self) -> None:
        """End a connection on which nothing has come for long."""
        self._close()

    def shutdown(self) -> None:
        """End soon: what was asked is answered, and a caller who has just come has not asked yet."""
        if not self._idle:
            super().shutdown()
        elif not self._in_request:
            self.loop.call_later(FIRST_WITHIN_S if self.cycle is None else _NEXT_WITHIN_S, self._leave)

    def _leave(self) -> None:
        if self._idle and not self._in_request:
            self._close()

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin to answer a request, whose head is there, and whose turn it is."""
        waits = cycle.waiting_for_100_continue or self.flow.write_paused
        call = None if self._handler is None or waits else self._handler.take(cast("Scope", cycle.scope))
        if call is None:
            super()._start_asgi_task(cycle, app)
            return
        self._current = cycle, call
        if cycle.more_body:
            self.flow.resume_reading()
        else:  # one of many that came together, of which none should stand on the stack of the one before
            self.loop.call_soon(self._answer)

    def _answer(self) -> None:
        if self._current is not None:
            cycle, call = self._current
            call.answer(bytes(cycle.body), partial(self._reply, cycle))

    def _reply(self, cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes) -> bool:
        """Do what uvicorn does with the messages of an ASGI application."""
        self._current = None
        if self.transport.is_closing():
            return False
        written = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            written += (name, b": ", value, b"\r\n")
        if _CLOSE in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            written.append(b"connection: close\r\n")
        written += (b"\r\n", body)
        cycle.response_started = cycle.response_complete = True
        self._coalescing.write_now(b"".join(written))
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        cycle.on_response = _nothing  # it refers to the connection, which refers to it
        return True

    def _refuse(self, status: int, why: str) -> None:
        """Answer what cannot be read, and read on for a little, as closing now might take the answer back."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        headers, body = self._say(status, why)
        written = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers, _CLOSE):
            written += (name, b": ", value, b"\r\n")
        self._coalescing.write_last(b"".join((*written, b"\r\n", body)))
        self.transport.set_protocol(Rest(self._coalescing, self, UNREAD_BYTES))
        self.transport.resume_reading()
        self.loop.call_later(_UNSENT_WITHIN_S, self.transport.abort)

    def _arm(self) -> None:
        self._request_timer = self.loop.call_later(REQUEST_WITHIN_S, self._close)

    def _disarm(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _close(self) -> None:
        """Close the connection, also to a caller who does not read."""
        self.transport.close()
        self.loop.call_later(_UNSENT_WITHIN_S, self.transport.abort)


def _nothing() -> None:
    pass


class _RefusedError(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
