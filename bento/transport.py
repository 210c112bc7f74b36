"""What stands between the protocol and the event loop's transport."""

import asyncio
from collections.abc import Sized
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """Reads no more from a caller while requests of theirs wait for their turn."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Read on, unless somebody waits."""
        if not self._pipeline:
            super().resume_reading()


class CoalescingTransport:
    """A transport that sends what is written in one turn of the event loop at once."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []
        self._is_over = False
        self.is_closing = transport.is_closing  # asked for each request, so not by way of what follows

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        return getattr(self._transport, name)

    def write_now(self, data: bytes) -> None:
        """Write this and what was written in this turn."""
        self._written.append(data)
        self._send()

    def write_last(self, data: bytes) -> None:
        """Write this, and nothing that comes after it; what its reader sends is still received."""
        self.write_now(data)
        self._is_over = True
        if not self._transport.is_closing():
            self._transport.write_eof()

    def write(self, data: bytes) -> None:
        """Write this at the end of the turn."""
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        """Write what was written, and end."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        written, self._written = self._written, []
        if written and not self._is_over and not self._transport.is_closing():  # who calls may have left
            self._transport.write(b"".join(written))


class Rest(asyncio.Protocol):
    """Takes what a caller still sends who has had the last answer; at the end there is what was before."""

    def __init__(self, transport: CoalescingTransport, before: asyncio.Protocol, most_bytes: int) -> None:
        self._transport = transport
        self._before = before
        self._left = most_bytes

    def data_received(self, data: bytes) -> None:
        """Take it, and end where it is too much."""
        self._left -= len(data)
        if self._left < 0:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell of it who was told that it began."""
        self._before.connection_lost(exc)
