"""HTTP/1.1 as uvicorn speaks it, but for two things.

The head and the body of an answer leave in one packet: uvicorn writes them one after the other, and each
write wakes the caller. And a connection on which no request is complete in time is closed, so that silent
ones cannot pile up.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_WITHIN_S = 30


class HttpProtocol(HttpToolsProtocol):
    """What uvicorn's `http` setting takes."""

    _request_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a connection."""
        super().connection_made(cast("asyncio.Transport", _CoalescingTransport(transport, self.loop)))
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """End with a connection."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived, which may be no request at all, or the rest of one that has its answer."""
        super().data_received(data)
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.timeout_keep_alive_task is None and self._request_timer is None:
            self._arm()

    def on_message_begin(self) -> None:
        """Begin with a request."""
        super().on_message_begin()
        self._disarm()
        self._arm()

    def on_message_complete(self) -> None:
        """Go on without the clock: what an answer may take is for others to say."""
        self._disarm()
        super().on_message_complete()

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
