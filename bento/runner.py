"""The adaptive-batching runner: callers hand in encoded texts, lanes score them in batches.

A lane is a thread. A free lane takes a batch at once (no timer): the oldest waiting text, and with it
those of similar length that fit into a budget of padded tokens. As every batch holds the oldest text,
nobody starves. All bookkeeping happens on the event loop, so there are no locks.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bento.scorer import Encoding

_SIMILAR_TOKENS = 16  # so close in length that padding costs next to nothing
_SMOOTHING = 0.1  # weight of the newest batch in what a token is taken to cost

Scores = NDArray[np.float32]


class QueueFullError(Exception):
    """The predicted wait is over the budget.

    Attributes:
        retry_after_s: When it is worth trying again.
    """

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"the predicted wait is {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class DrainingError(Exception):
    """The runner takes nothing any more."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one text, in the order of the model's labels, and where its time went."""

    scores: Scores
    queue_s: float
    infer_s: float


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch that was scored; `padded_tokens` is what it cost, `tokens` what was asked for."""

    waits_s: tuple[float, ...]
    tokens: int
    padded_tokens: int
    infer_s: float


@dataclass(eq=False, slots=True)
class _Waiting:
    encoding: Encoding
    scored: asyncio.Future[Scored]
    since: float
    alone: bool = False


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
            observe: Hears of every batch, on the event loop.
        """
        self._score = score
        self._lanes = lanes
        self._batch_tokens = batch_tokens
        self._max_queue_s = max_queue_s
        self._observe = observe
        self._queue: list[_Waiting] = []
        self._free = lanes
        self._running_tokens = 0
        self._token_s: float | None = None
        self._draining = False
        self._idle = asyncio.Event()
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Make the lanes."""
        self._pool = ThreadPoolExecutor(self._lanes, thread_name_prefix="lane")
        self._idle.set()

    @property
    def depth(self) -> int:
        """How many texts wait for a lane."""
        return sum(not waiting.scored.done() for waiting in self._queue)

    async def submit(self, encodings: Sequence[Encoding]) -> list[Scored]:
        """Score texts; cancelling the call withdraws those that no lane has taken.

        Args:
            encodings: At least one.

        Returns:
            Their scores, in order.

        Raises:
            QueueFullError: The queue is too long to join.
            DrainingError: The runner is shutting down.
        """
        if self._draining:
            raise DrainingError
        wait_s = self._predicted_wait_s()
        if wait_s > self._max_queue_s:
            raise QueueFullError(wait_s)
        loop, now = asyncio.get_running_loop(), time.perf_counter()
        joined = [_Waiting(encoding, loop.create_future(), now) for encoding in encodings]
        self._queue += joined
        self._fill_lanes()
        try:
            return await asyncio.gather(*(waiting.scored for waiting in joined))
        finally:
            for waiting in joined:
                waiting.scored.cancel()

    async def drain(self) -> None:
        """Take nothing more, finish what was taken, end the lanes."""
        self._draining = True
        await self._idle.wait()
        if self._pool is not None:
            self._pool.shutdown()

    def _predicted_wait_s(self) -> float:
        if self._free or self._token_s is None:
            return 0.0
        tokens = self._running_tokens + sum(len(waiting.encoding) for waiting in self._queue)
        return tokens * self._token_s / self._lanes

    def _fill_lanes(self) -> None:
        while self._free and (batch := self._take_batch()):
            self._free -= 1
            self._running_tokens += _padded_tokens(batch)
            self._idle.clear()
            run = asyncio.get_running_loop().run_in_executor(self._pool, self._run, batch)
            run.add_done_callback(partial(self._finish, batch))
        if self._free == self._lanes:
            self._idle.set()

    def _take_batch(self) -> list[_Waiting]:
        self._queue = [waiting for waiting in self._queue if not waiting.scored.done()]
        if not self._queue:
            return []
        oldest = self._queue[0]
        batch = [oldest] if oldest.alone else self._similar(len(oldest.encoding))
        taken = set(map(id, batch))
        self._queue = [waiting for waiting in self._queue if id(waiting) not in taken]
        return batch

    def _similar(self, tokens: int) -> list[_Waiting]:
        """Choose the texts nearest to this length, older ones first where they are equally near."""
        batch: list[_Waiting] = []
        shortest = longest = tokens
        willing = (waiting for waiting in self._queue if not waiting.alone)
        for waiting in sorted(willing, key=lambda waiting: abs(len(waiting.encoding) - tokens)):
            shortest = min(shortest, len(waiting.encoding))
            longest = max(longest, len(waiting.encoding))
            too_much = (len(batch) + 1) * longest > self._batch_tokens
            too_different = longest - shortest > max(_SIMILAR_TOKENS, shortest)
            if batch and (too_much or too_different):
                break
            batch.append(waiting)
        return batch

    def _run(self, batch: list[_Waiting]) -> tuple[Scores, float, float]:
        """Score on a lane."""
        started = time.perf_counter()
        scores = self._score([waiting.encoding for waiting in batch])
        return scores, started, time.perf_counter() - started

    def _finish(self, batch: list[_Waiting], run: asyncio.Future[tuple[Scores, float, float]]) -> None:
        padded_tokens = _padded_tokens(batch)
        self._free += 1
        self._running_tokens -= padded_tokens
        error = run.exception()
        if error is None:
            scores, started, infer_s = run.result()
            waits_s = tuple(started - waiting.since for waiting in batch)
            for waiting, row, wait_s in zip(batch, scores, waits_s, strict=True):
                if not waiting.scored.done():
                    waiting.scored.set_result(Scored(row, wait_s, infer_s))
            self._learn(infer_s / max(1, padded_tokens))
            tokens = sum(len(waiting.encoding) for waiting in batch)
            self._observe(BatchReport(waits_s, tokens, padded_tokens, infer_s))
        elif len(batch) > 1:  # again, each alone, so that one bad text fails nobody else
            for waiting in batch:
                waiting.alone = True
            self._queue[:0] = batch
        elif not batch[0].scored.done():
            batch[0].scored.set_exception(error)
        self._fill_lanes()

    def _learn(self, token_s: float) -> None:
        if self._token_s is None:
            self._token_s = token_s
        else:
            self._token_s += _SMOOTHING * (token_s - self._token_s)


def _padded_tokens(batch: Sequence[_Waiting]) -> int:
    return len(batch) * max(len(waiting.encoding) for waiting in batch)
