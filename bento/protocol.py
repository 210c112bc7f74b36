"""HTTP/1.1 as uvicorn speaks it, but for three things.

Requests that `Direct` takes are answered without ASGI: its messages, tasks and events take longer than the
rest of such a request. The head and the body of an answer leave in one packet: uvicorn writes them one after
the other, and each write wakes the caller. And a connection on which no request is complete in time is
closed, so that silent ones cannot pile up.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

Headers = list[tuple[bytes, bytes]]
Reply = Callable[[int, Headers, bytes], None]

REQUEST_WITHIN_S = 30

_CLOSE = (b"connection", b"close")


class Direct(Protocol):
    """Answers some requests without ASGI."""

    def takes(self, scope: Scope) -> bool:
        """Tell, as the head of a request is complete, whether it is answered here."""

    def answer(self, scope: Scope, body: bytes, reply: Reply) -> Callable[[], None]:
        """Answer a request that `takes` holds for, as its body is complete.

        Args:
            scope: As in ASGI.
            body: All of it.
            reply: To be called once, now or later, with status, headers (also `content-length`) and body.

        Returns:
            What is called where the connection ends; also when the answer was given.
        """


class HttpProtocol(HttpToolsProtocol):
    """What uvicorn's `http` setting takes; with `partial`, as it needs to know `direct`."""

    _request_timer: asyncio.TimerHandle | None = None
    _in_request = False
    _waiting: RequestResponseCycle | None = None
    _leave: Callable[[], None] | None = None

    def __init__(self, *args: Any, direct: Direct | None = None, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self._direct = direct

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a connection."""
        self._coalescing = _CoalescingTransport(transport, self.loop)
        super().connection_made(cast("asyncio.Transport", self._coalescing))
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """End with a connection."""
        self._disarm()
        super().connection_lost(exc)
        if self._leave is not None:
            self._leave()

    def data_received(self, data: bytes) -> None:
        """Take what arrived, which may be no request at all, or the rest of one that has its answer."""
        super().data_received(data)
        idle = self.cycle is None or self.cycle.response_complete
        if (
            self._in_request or (idle and self.timeout_keep_alive_task is None)
        ) and self._request_timer is None:
            self._arm()

    def on_message_begin(self) -> None:
        """Begin with a request."""
        super().on_message_begin()
        self._disarm()
        self._in_request = True

    def on_message_complete(self) -> None:
        """Go on without the clock: what an answer may take is for others to say."""
        self._disarm()
        self._in_request = False
        super().on_message_complete()
        if self._waiting is not None and self._waiting is self.cycle:
            self._waiting = None
            self._answer(self.cycle)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin to answer a request, whose head is there, and whose turn it is."""
        waits = cycle.waiting_for_100_continue or self.flow.write_paused
        if self._direct is None or waits or not self._direct.takes(cast("Scope", cycle.scope)):
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._waiting = cycle
        else:  # one of many that came together, of which none should stand on the stack of the one before
            self.loop.call_soon(self._answer, cycle)

    def _answer(self, cycle: RequestResponseCycle) -> None:
        if self._direct is not None and not self.transport.is_closing():
            scope = cast("Scope", cycle.scope)
            self._leave = self._direct.answer(scope, bytes(cycle.body), partial(self._reply, cycle))

    def _reply(self, cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes) -> None:
        """Do what uvicorn does with the messages of an ASGI application."""
        if self.transport.is_closing():
            return
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

    def _arm(self) -> None:
        self._request_timer = self.loop.call_later(REQUEST_WITHIN_S, self.transport.close)

    def _disarm(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None


class _CoalescingTransport:
    """A transport that sends what is written in one turn of the event loop at once."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        return getattr(self._transport, name)

    def write_now(self, data: bytes) -> None:
        self._written.append(data)
        self._send()

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        written, self._written = self._written, []
        if written and not self._transport.is_closing():  # the caller may have left since
            self._transport.write(b"".join(written))
