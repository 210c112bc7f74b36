"""A small HTTP/1.1 client for load: keep-alive connections, one request at a time on each, no tasks.

It costs little of the processor that it shares with the server under test.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

LOST = 0  # instead of a status: the connection could not be made, or broke
WRONG = -1  # instead of a status: 200, but there is no sentiment in the body

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_RECONNECT_S = 0.01


@dataclass(frozen=True, slots=True)
class Answer:
    """When a request was due and when it was answered (by `time.perf_counter`), and with what status."""

    due: float
    ended: float
    status: int


def make_request(host: str, body: bytes) -> bytes:
    """Return a request for one prediction."""
    head = (
        f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Client:
    """Sends requests to one server on as many connections as that takes.

    Attributes:
        answers: What came back, in this order.
        in_flight: How many requests wait for their answer.
        exhausted: More was to be sent than there are requests; what came back is of a lesser load.
        answered: Called after each answer.
    """

    def __init__(self, host: str, port: int, requests: Iterator[bytes]) -> None:
        self._address = (host, port)
        self._requests = requests
        self._idle: list[_Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self.answers: list[Answer] = []
        self.in_flight = 0
        self.exhausted = False
        self.answered: Callable[[], None] = lambda: None

    def send(self, due: float) -> None:
        """Send the next request on an idle connection, or on a new one.

        Args:
            due: When it should have been sent; its latency counts from there.
        """
        self.in_flight += 1
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                self._send_next(connection, due)
                return
        task = asyncio.ensure_future(self._connect_and_send(due))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def drain(self, within_s: float) -> None:
        """Wait until nothing is in flight, then close all connections; what is late is lost."""
        deadline = time.perf_counter() + within_s
        while self.in_flight and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        for connection in self._idle:
            connection.close()
        late = time.perf_counter()
        self.answers.extend(Answer(late - within_s, late, LOST) for _ in range(self.in_flight))

    async def _connect_and_send(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: _Connection(self._end), *self._address)
        except OSError:
            await asyncio.sleep(_RECONNECT_S)
            self._record(due, LOST)
            return
        self._send_next(connection, due)

    def _send_next(self, connection: "_Connection", due: float) -> None:
        request = next(self._requests, None)
        if request is None:  # noted, not raised: callbacks of the event loop have no caller to tell
            self.exhausted = True
            self.in_flight -= 1
            connection.close()
            return
        connection.send(request, due)

    def _end(self, connection: "_Connection", status: int) -> None:
        if connection.open:
            self._idle.append(connection)
        self._record(connection.due, status)

    def _record(self, due: float, status: int) -> None:
        self.answers.append(Answer(due, time.perf_counter(), status))
        self.in_flight -= 1
        self.answered()


class _Connection(asyncio.Protocol):
    def __init__(self, end: Callable[["_Connection", int], None]) -> None:
        self._end = end
        self._received = b""
        self._busy = False
        self.open = False
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.open = True

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self._busy = True
        self._transport.write(request)

    def close(self) -> None:
        self.open = False
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(received, 0, end)
        if length is not None and len(received) < end + 4 + int(length[1]):
            return
        status = int(received[9:12])
        if status == 200 and (length is None or b'"sentiment"' not in received[end:]):
            status = WRONG
        self._received = b""
        self._busy = False
        if length is None or _CLOSE.search(received, 0, end):
            self.close()
        self._end(self, status)

    def connection_lost(self, _error: Exception | None) -> None:
        self.open = False
        if self._busy:
            self._busy = False
            self._end(self, LOST)
