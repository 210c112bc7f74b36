"""A constant load of predictions that counts every request which is not answered as it should be.

Open loop: requests are sent when they are due, whatever became of those before. They go over a population of
kept connections that are used in turn, ended where the server asks for it or when they are old, and opened
to whomever the balancer names, as those of many clients behind a load balancer. Nothing is ever sent twice.
"""

import asyncio
import itertools
import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.balancer import Address
from tests.e2e.connection import BrokenError, Connection, Way

RATE = 50.0
TIMEOUT_S = 10.0
CONNECTIONS = 20  # each is used two or three times a second
_OLDEST_S = (0.5, 5.0)  # drawn for each: several times a second one is opened
_TEXTS = (
    "What a wonderful film",
    "The room was cold and the staff were rude",
    "It arrived on Tuesday",
    "I would not buy it again",
    "Best pizza in town, and quick",
    "The table is made of wood",
    "Good, but the battery is awful",
)
_BODIES = [json.dumps({"text": text}).encode() for text in _TEXTS]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request.

    Attributes:
        due: When it was to be sent, by `time.monotonic`; its latency counts from there.
        late_s: How much later it was sent, which is the sender's own fault.
        status: Of HTTP; 0 where there was no answer.
        failure: What was wrong with it; empty where nothing was.
        version: The model version that answered.
    """

    due: float
    late_s: float
    ended: float
    status: int
    failure: str
    address: Address | None
    version: str = ""
    digest: str = ""

    @property
    def latency_s(self) -> float:
        """Seconds from when it was due."""
        return self.ended - self.due


@dataclass(frozen=True, slots=True)
class Window:
    """All requests that were due within a time."""

    begin: float
    end: float
    answers: list[Answer]

    @property
    def failures(self) -> list[Answer]:
        """Those that were not answered as they should be."""
        return [answer for answer in self.answers if answer.failure]

    @property
    def versions(self) -> Counter[str]:
        """How many each model version answered."""
        return Counter(answer.version for answer in self.answers if answer.version)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.answers) / max(self.end - self.begin, 1e-9)

    def latency_ms(self, quantile: float) -> float:
        """Return a quantile of the latencies of what was answered, in milliseconds; 0 where nothing was."""
        times = sorted(answer.latency_s for answer in self.answers if answer.status)
        return times[min(int(quantile * len(times)), len(times) - 1)] * 1e3 if times else 0.0


class LoadError(Exception):
    """The load itself came to an end, so that it proves nothing."""


class Load:
    """Sends from a thread of its own while its context lasts.

    Args:
        pick: Names the address of the next connection.
        way: How requests are addressed.
        rate: Requests a second.
    """

    def __init__(
        self, pick: Callable[[], Address | None], way: Way | None = None, rate: float = RATE
    ) -> None:
        self._pick = pick
        self._way = way or Way()
        self._rate = rate
        self._idle: deque[Connection] = deque()
        self._open = 0
        self._pending: set[float] = set()
        self._lock = threading.Lock()
        self._answers: list[Answer] = []
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="load", daemon=True)

    def __enter__(self) -> "Load":
        """Begin to send."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, when what was sent is answered."""
        self._stop.set()
        self._thread.join(TIMEOUT_S + 5)

    def window(self, begin: float, end: float | None = None) -> Window:
        """Return what became of the requests that were due from `begin` to `end`, by default now.

        Raises:
            LoadError: The load has ended.
        """
        end = time.monotonic() if end is None else end
        while self._thread.is_alive():
            with self._lock:
                if not any(begin <= due < end for due in self._pending):
                    break
            time.sleep(0.02)
        if self._error is not None or not self._thread.is_alive():
            raise LoadError(f"the load has ended: {self._error or 'it was stopped'}")
        with self._lock:
            return Window(begin, end, [answer for answer in self._answers if begin <= answer.due < end])

    def _main(self) -> None:
        try:
            asyncio.run(self._send_all())
        except BaseException as error:
            self._error = error
            raise

    async def _send_all(self) -> None:
        begin = time.monotonic()
        async with asyncio.TaskGroup() as requests:
            for number, body in enumerate(itertools.cycle(_BODIES)):
                due = begin + number / self._rate
                await asyncio.sleep(due - time.monotonic())
                if self._stop.is_set():
                    break
                with self._lock:
                    self._pending.add(due)
                requests.create_task(self._send(due, body))
        for connection in self._idle:
            connection.abort()

    async def _send(self, due: float, body: bytes) -> None:
        late_s = max(time.monotonic() - due, 0.0)
        connection: Connection | None = None
        address: Address | None = None
        status, failure, model = 0, "", {}
        try:
            async with asyncio.timeout(TIMEOUT_S):
                connection = self._take()
                if connection is None or self._way.via:  # a proxy has nobody of its own on a connection
                    address = self._pick()
                    if address is None:
                        raise BrokenError("nobody is ready")  # noqa: TRY301 - a failure like the others
                if connection is None:
                    assert address is not None
                    connection = await Connection.open(address, self._way, lasts_s=random.uniform(*_OLDEST_S))
                    self._open += 1
                address = connection.address = address or connection.address
                reply = await connection.ask("/predict", body)
            status = reply.status
            answer = reply.body or {}
            model = answer.get("model", {})
            if status != 200:
                failure = str(answer.get("detail") or answer.get("title") or "")[:200] or f"status {status}"
            elif "sentiment" not in answer or "digest" not in model:
                failure = "200, but no prediction in it"
        except TimeoutError:
            failure = f"no answer within {TIMEOUT_S:.0f} s"
        except (OSError, BrokenError) as error:
            failure = str(error) or type(error).__name__
        if failure and connection is not None:
            age = time.monotonic() - connection.opened
            failure += f" (request {connection.asked} on a connection {age:.1f} s old)"
        self._keep(connection, broken=not status)
        answered = Answer(
            due,
            late_s,
            time.monotonic(),
            status,
            failure,
            address,
            str(model.get("version") or ""),
            str(model.get("digest") or ""),
        )
        with self._lock:
            self._answers.append(answered)
            self._pending.discard(due)

    def _take(self) -> Connection | None:
        """Return the connection that has been idle for longest, None where a new one is wanted."""
        while self._idle and self._open >= CONNECTIONS:
            connection = self._idle.popleft()
            if connection.usable and time.monotonic() < connection.until:
                return connection
            self._drop(connection)
        return None

    def _keep(self, connection: Connection | None, *, broken: bool) -> None:
        if connection is None:
            return
        if broken or not connection.usable:
            self._drop(connection)
        else:
            self._idle.append(connection)

    def _drop(self, connection: Connection) -> None:
        self._open -= 1
        connection.close()
