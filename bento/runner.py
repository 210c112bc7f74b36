"""The adaptive-batching runner: callers hand in encoded texts, lanes score them in batches.

`bento.scheduler` decides; this is the event loop and the threads around it. A lane is a thread. All
bookkeeping happens on the event loop, so there are no locks, and no timer makes anybody wait.
"""

import asyncio
import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue

from bento.capacity import Capacity
from bento.padding import measure_padding_cost
from bento.scheduler import Scheduler
from bento.scorer import Encoding
from bento.work import Batch, DrainingError, Request, Scored, Scores

_LARGEST_WARM_UP_TOKENS = 1_024  # from here on a batch's time is a straight line
_NICENESS = 10  # of lanes
_WARM_UPS = 3  # the first run of a shape is slower


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch that was scored; `padded_tokens` is what it cost, `tokens` what was asked for."""

    waits_s: Sequence[float]
    tokens: int
    padded_tokens: int
    infer_s: float


class Runner:
    """Batches what is waiting and scores it on several lanes. Belongs to one event loop."""

    def __init__(
        self,
        score: Callable[[Sequence[Encoding]], Scores],
        *,
        lanes: int,
        batch_tokens: int,
        max_queue_s: float,
        observe: Callable[[BatchReport], None],
    ) -> None:
        """Prepare; `start` makes the lanes.

        Args:
            score: Scores a batch; called from `lanes` threads at the same time.
            lanes: How many batches are scored side by side.
            batch_tokens: How many padded tokens a batch may hold; a longer text goes alone.
            max_queue_s: The predicted wait beyond which callers are turned away.
            observe: Hears of every batch that somebody asked for, on the event loop.
        """
        self._score = score
        self._lanes = lanes
        self._batch_tokens = batch_tokens
        self._max_queue_s = max_queue_s
        self._observe = observe
        self._scheduler = Scheduler(
            lanes=lanes, batch_tokens=batch_tokens, max_queue_s=max_queue_s, clock=time.perf_counter
        )
        self._warming_up = False
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._filling_soon = False
        self._timers: dict[Request, asyncio.TimerHandle] = {}
        self._handed_over: SimpleQueue[Batch | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Make the lanes."""
        loop = asyncio.get_running_loop()
        for number in range(self._lanes):
            thread = threading.Thread(target=self._work, args=(loop,), name=f"lane-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    async def warm_up(self, texts: Sequence[Encoding]) -> None:
        """Score batches of growing size on all lanes, to learn what they, and padding in them, cost here.

        Nobody asked for them, so they are neither observed nor counted as demand.

        Args:
            texts: Examples, at least one.

        Raises:
            ScoringError: The model fails on one of them.
        """
        largest = min(self._batch_tokens, _LARGEST_WARM_UP_TOKENS) // max(1, *map(len, texts))
        sizes = [1 << doubled for doubled in range(max(1, largest).bit_length())]
        self._warming_up = True
        longest = max(texts, key=len)
        self.capacity.padding_cost = await asyncio.to_thread(measure_padding_cost, self._score, longest)
        self._scheduler.max_queue_s = math.inf  # nobody waits yet, whatever a batch takes
        for size in sizes * _WARM_UPS:
            sample = [texts[index % len(texts)] for index in range(size)]
            scoring: list[asyncio.Task[list[Scored]]] = []
            for _ in range(self._lanes):  # not together, else one lane would take all of it
                scoring.append(asyncio.create_task(self.submit(sample)))
                await asyncio.sleep(0)
                self._fill_lanes()
            await asyncio.gather(*scoring)
        self._scheduler.max_queue_s = self._max_queue_s
        self.capacity.forget_demand()
        self._warming_up = False

    @property
    def depth(self) -> int:
        """How many texts wait for a lane."""
        return self._scheduler.depth

    @property
    def capacity(self) -> Capacity:
        """What was measured of the batches."""
        return self._scheduler.capacity

    def refuse_if_full(self, texts: int, *, deadline: float = math.inf, not_before_s: float = 0.0) -> None:
        """Turn away, before its texts are tokenised, a request that `submit` would refuse.

        Args:
            texts: How many it has.
            deadline: See `submit`.
            not_before_s: How long it takes until they can be tokenised.

        Raises:
            QueueFullError: See `submit`.
            DeadlineError: See `submit`.
            DrainingError: See `submit`.
        """
        if self._draining:
            raise DrainingError
        self._scheduler.refuse_if_full(round(texts * self.capacity.text_tokens), deadline, not_before_s)

    async def submit(
        self,
        encodings: Sequence[Encoding],
        *,
        deadline: float = math.inf,
        marks: list[float] | None = None,
    ) -> list[Scored]:
        """Score texts; cancelling the call withdraws those that no lane has taken.

        Args:
            encodings: At least one.
            deadline: By `time.perf_counter`; what no lane has taken until then is not scored.
            marks: Gets the time at which a lane first takes one of them.

        Returns:
            Their scores, in order.

        Raises:
            QueueFullError: The queue is too long to join.
            DeadlineError: The deadline has passed.
            ScoringError: The model fails on one of them.
            DrainingError: The runner is shutting down.
        """
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end(_: Request) -> None:
            if not ended.done():
                ended.set_result(None)

        request = self.enqueue(encodings, end, deadline=deadline, marks=marks)
        try:
            await ended
        finally:
            self.withdraw(request)
        return request.answer()

    def enqueue(
        self,
        encodings: Sequence[Encoding],
        end: Callable[[Request], None],
        *,
        deadline: float = math.inf,
        marks: list[float] | None = None,
    ) -> Request:
        """Score texts without anybody awaiting it.

        Args:
            encodings: See `submit`.
            end: Called on the event loop with the request when it has its answer, or an error instead;
                after the lanes have got more to do.
            deadline: See `submit`.
            marks: See `submit`.

        Returns:
            What `withdraw` takes.

        Raises:
            QueueFullError: See `submit`.
            DeadlineError: See `submit`.
            DrainingError: See `submit`.
        """
        if self._draining:
            raise DrainingError
        request = self._scheduler.admit(encodings, partial(self._end, end), deadline)
        if marks is not None:
            request.marks = marks
        loop = asyncio.get_running_loop()
        if deadline != math.inf:
            expire = partial(self._scheduler.expire, request)
            self._timers[request] = loop.call_later(deadline - time.perf_counter(), expire)
        if not self._filling_soon:
            self._filling_soon = True
            self._idle.clear()
            loop.call_soon(self._fill_lanes)
        return request

    def withdraw(self, request: Request) -> None:
        """Forget a request; those of its texts that no lane has taken are never scored."""
        self._scheduler.withdraw(request)
        self._cancel_timer(request)

    async def drain(self) -> None:
        """Take nothing more, finish what was taken, end the lanes."""
        self._draining = True
        await self._idle.wait()
        for _ in self._threads:
            self._handed_over.put(None)
        for thread in self._threads:
            thread.join()

    def _fill_lanes(self) -> None:
        """Give the free lanes what waits: once for all that arrived together, so that they go together."""
        self._filling_soon = False
        while batch := self._scheduler.take():
            self._idle.clear()
            self._handed_over.put(batch)
        if self._scheduler.idle:
            self._idle.set()

    def _end(self, end: Callable[[Request], None], request: Request) -> None:
        self._cancel_timer(request)
        asyncio.get_running_loop().call_soon(end, request)

    def _cancel_timer(self, request: Request) -> None:
        timer = self._timers.pop(request, None)
        if timer is not None:
            timer.cancel()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Score on a lane, until there is nothing more."""
        _lower_priority()
        while (batch := self._handed_over.get()) is not None:
            started = time.perf_counter()
            try:
                result: Scores | Exception = self._score(batch.encodings)
            except Exception as error:  # noqa: BLE001 - the callers hear of it, whatever it is
                result = error
            loop.call_soon_threadsafe(self._finish, batch, result, time.perf_counter() - started)

    def _finish(self, batch: Batch, result: Scores | Exception, infer_s: float) -> None:
        if isinstance(result, Exception):
            self._scheduler.fail(batch, result)
        else:
            self._scheduler.finish(batch, result, infer_s)
            if not self._warming_up:
                waits_s = [batch.taken - text.request.joined for text in batch.texts]
                self._observe(BatchReport(waits_s, batch.tokens, batch.padded_tokens, infer_s))
        self._fill_lanes()


def _lower_priority() -> None:
    """Let the event loop go first where both want a processor: it feeds the lanes, and answers meanwhile.

    On Linux a thread has a niceness of its own. A sandbox may forbid it, and a lane works without.
    """
    if sys.platform == "linux":
        lane = threading.get_native_id()
        with contextlib.suppress(OSError):
            lowest = max(_NICENESS, os.getpriority(os.PRIO_PROCESS, lane))  # to rise again takes a privilege
            os.setpriority(os.PRIO_PROCESS, lane, lowest)
