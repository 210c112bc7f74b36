"""The adaptive-batching runner: callers hand in encoded texts, lanes score them in batches.

`bento.scheduler` decides; this is the event loop and the threads around it. A lane is a thread. All
bookkeeping happens on the event loop, so there are no locks, and no timer makes anybody wait.
"""

import asyncio
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from bento.capacity import Capacity
from bento.scheduler import Scheduler
from bento.scorer import Encoding
from bento.work import Batch, DeadlineError, DrainingError, Request, Scored, Scores

_LARGEST_WARM_UP_TOKENS = 1_024  # from here on a batch's time is a straight line
_NICENESS = 10  # of lanes
_WARM_UPS = 3  # the first run of a shape is slower


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch that was scored; `padded_tokens` is what it cost, `tokens` what was asked for."""

    waits_s: tuple[float, ...]
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
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Prepare; `start` makes the lanes.

        Args:
            score: Scores a batch; called from `lanes` threads at the same time.
            lanes: How many batches are scored side by side.
            batch_tokens: How many padded tokens a batch may hold; a longer text goes alone.
            max_queue_s: The predicted wait beyond which callers are turned away.
            observe: Hears of every batch that somebody asked for, on the event loop.
            clock: What deadlines are told by.
        """
        self._score = score
        self._lanes = lanes
        self._batch_tokens = batch_tokens
        self._max_queue_s = max_queue_s
        self._observe = observe
        self._clock = clock
        self._scheduler = Scheduler(
            lanes=lanes, batch_tokens=batch_tokens, max_queue_s=max_queue_s, clock=clock
        )
        self._warming_up = False
        self._draining = False
        self._idle = asyncio.Event()
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Make the lanes."""
        self._pool = ThreadPoolExecutor(self._lanes, thread_name_prefix="lane", initializer=_give_way)
        self._idle.set()

    async def warm_up(self, texts: Sequence[Encoding]) -> None:
        """Score batches of growing size on all lanes, to learn what they cost here.

        Nobody asked for them, so they are neither observed nor counted as demand.

        Args:
            texts: Examples, at least one.

        Raises:
            ScoringError: The model fails on one of them.
        """
        largest = min(self._batch_tokens, _LARGEST_WARM_UP_TOKENS) // max(1, *map(len, texts))
        sizes = [1 << doubled for doubled in range(max(1, largest).bit_length())]
        self._warming_up = True
        self._scheduler.max_queue_s = math.inf  # nobody waits yet, whatever a batch takes
        for size in sizes * _WARM_UPS:
            sample = [texts[index % len(texts)] for index in range(size)]
            await asyncio.gather(*(self.submit(sample) for _ in range(self._lanes)))
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

    def refuse_if_full(self, texts: int, *, deadline: float = math.inf) -> None:
        """Turn away, before its texts are tokenised, a request that `submit` would refuse.

        Raises:
            QueueFullError: See `submit`.
            DeadlineError: See `submit`.
            DrainingError: See `submit`.
        """
        if self._draining:
            raise DrainingError
        self._scheduler.refuse_if_full(texts, deadline)

    async def submit(self, encodings: Sequence[Encoding], *, deadline: float = math.inf) -> list[Scored]:
        """Score texts; cancelling the call withdraws those that no lane has taken.

        Args:
            encodings: At least one.
            deadline: By the runner's clock; what no lane has taken until then is not scored.

        Returns:
            Their scores, in order.

        Raises:
            QueueFullError: The queue is too long to join.
            DeadlineError: The deadline has passed.
            ScoringError: The model fails on one of them.
            DrainingError: The runner is shutting down.
        """
        if self._draining:
            raise DrainingError
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()

        def end(_: Request | None) -> None:
            if not answered.done():
                answered.set_result(None)

        request = self._scheduler.admit(encodings, end, deadline)
        timer = None if deadline == math.inf else loop.call_later(deadline - self._clock(), end, None)
        self._fill_lanes()
        try:
            await answered
        finally:
            self._scheduler.withdraw(request)
            if timer is not None:
                timer.cancel()
        if request.error is not None:
            raise request.error
        if len(request.scored) < len(encodings):  # it was the timer that ended it
            raise DeadlineError
        return [request.scored[index] for index in range(len(encodings))]

    async def drain(self) -> None:
        """Take nothing more, finish what was taken, end the lanes."""
        self._draining = True
        await self._idle.wait()
        if self._pool is not None:
            self._pool.shutdown()

    def _fill_lanes(self) -> None:
        while batch := self._scheduler.take():
            self._idle.clear()
            self._hand_over(batch)
        if self._scheduler.idle:
            self._idle.set()

    def _hand_over(self, batch: Batch) -> None:
        assert self._pool is not None  # noqa: S101 - nothing is admitted before `start`
        loop = asyncio.get_running_loop()
        run = self._pool.submit(self._run, batch.encodings)
        run.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finish, batch, done))

    def _run(self, encodings: list[Encoding]) -> tuple[Scores, float]:
        """Score on a lane."""
        started = time.perf_counter()
        scores = self._score(encodings)
        return scores, time.perf_counter() - started

    def _finish(self, batch: Batch, run: Future[tuple[Scores, float]]) -> None:
        error = run.exception()
        if error is None:
            scores, infer_s = run.result()
            self._scheduler.finish(batch, scores, infer_s)
            if not self._warming_up:
                waits_s = tuple(batch.taken - text.request.joined for text in batch.texts)
                self._observe(BatchReport(waits_s, batch.tokens, batch.padded_tokens, infer_s))
        else:
            self._scheduler.fail(batch, error)
        self._fill_lanes()


def _give_way() -> None:
    """Let the event loop go first where both want a processor: it feeds the lanes, and answers meanwhile.

    On Linux a thread has a niceness of its own.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
