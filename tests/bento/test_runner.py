"""The runner: nothing lost, nothing mixed up, nobody starved, nobody kept waiting for a timer."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bento.runner import BatchReport, Runner
from bento.scorer import Encoding
from bento.work import DeadlineError, DrainingError, QueueFullError, Scores, ScoringError

BUDGET = 256
WITHIN_S = 10  # a deadlock's end, never waited for otherwise


@dataclass
class Model:
    """Scores a text by its first token; can be held back, and fails where a token is negative."""

    open: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    batches: list[list[int]] = field(default_factory=list)

    def __call__(self, batch: Sequence[Encoding]) -> Scores:
        self.entered.release()
        assert self.open.wait(WITHIN_S)
        self.batches.append([encoding.ids[0] for encoding in batch])
        if any(encoding.ids[0] < 0 for encoding in batch):
            raise ValueError
        return np.array([[encoding.ids[0]] for encoding in batch], np.float32)


def text(name: int, tokens: int = 4) -> Encoding:
    return Encoding([name] * tokens, truncated=False)


def make_runner(
    model: Model, *, lanes: int = 1, max_queue_s: float = 1e9, reports: list[BatchReport] | None = None
) -> Runner:
    observe: Callable[[BatchReport], None] = (lambda _: None) if reports is None else reports.append
    runner = Runner(model, lanes=lanes, batch_tokens=BUDGET, max_queue_s=max_queue_s, observe=observe)
    runner.start()
    return runner


def run(work: Awaitable[None]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(work, WITHIN_S)

    asyncio.run(bounded())


async def names(runner: Runner, *texts: Encoding) -> list[int]:
    return [int(one.scores[0]) for one in await runner.submit(texts)]


async def entered(model: Model) -> None:
    """Wait until a lane has begun a batch."""
    assert await asyncio.to_thread(model.entered.acquire, timeout=WITHIN_S)


thorough = settings(max_examples=1_000, deadline=None, derandomize=True)


@thorough
@given(
    calls=st.lists(st.lists(st.integers(1, 300), min_size=1, max_size=20), min_size=1, max_size=20),
    lanes=st.integers(1, 3),
)
def test_everyone_gets_their_own_scores_in_order_within_the_budget(
    calls: list[list[int]], lanes: int
) -> None:
    model = Model()
    model.open.set()
    reports: list[BatchReport] = []

    async def scenario() -> None:
        runner = make_runner(model, lanes=lanes, reports=reports)
        numbered, number = [], 0
        for lengths in calls:
            numbered.append([text(number + index, tokens) for index, tokens in enumerate(lengths)])
            number += len(lengths)
        answers = await asyncio.gather(*(names(runner, *texts) for texts in numbered))
        assert answers == [[encoding.ids[0] for encoding in texts] for texts in numbered]
        assert sorted(name for batch in model.batches for name in batch) == list(range(number))
        await runner.drain()

    run(scenario())
    assert sum(report.tokens for report in reports) == sum(map(sum, calls))
    for report in reports:
        assert report.padded_tokens <= BUDGET or len(report.waits_s) == 1
        assert report.tokens <= report.padded_tokens


def test_a_free_lane_takes_a_lone_text_at_once_and_a_busy_one_gathers() -> None:
    model = Model()

    async def scenario() -> None:
        runner = make_runner(model)
        first = asyncio.ensure_future(names(runner, text(0)))
        await entered(model)
        later = [asyncio.ensure_future(names(runner, text(name))) for name in (1, 2, 3)]
        await asyncio.sleep(0)
        assert runner.depth == 3
        model.open.set()
        await asyncio.gather(first, *later)
        assert runner.depth == 0
        await runner.drain()

    run(scenario())
    assert model.batches == [[0], [1, 2, 3]]


def test_texts_that_arrive_together_go_together() -> None:
    model = Model()
    model.open.set()

    async def scenario() -> None:
        runner = make_runner(model, lanes=2)
        await asyncio.gather(*(names(runner, text(name)) for name in range(5)))
        await runner.drain()

    run(scenario())
    assert model.batches == [[0, 1, 2, 3, 4]]


def test_lanes_work_side_by_side() -> None:
    model = Model()

    async def scenario() -> None:
        runner = make_runner(model, lanes=2)
        calls = [asyncio.ensure_future(names(runner, text(name, 100))) for name in (0, 1)]
        await entered(model)
        await entered(model)
        model.open.set()
        await asyncio.gather(*calls)
        await runner.drain()

    run(scenario())


def test_similar_lengths_go_together_and_the_oldest_text_always_goes() -> None:
    model = Model()

    async def scenario() -> None:
        runner = make_runner(model)
        first = asyncio.ensure_future(names(runner, text(0)))
        await entered(model)
        lengths = (100, 5, 100, 6, 5)
        later = [
            asyncio.ensure_future(names(runner, text(name, tokens)))
            for name, tokens in enumerate(lengths, start=1)
        ]
        await asyncio.sleep(0)
        model.open.set()
        await asyncio.gather(first, *later)
        await runner.drain()

    run(scenario())
    assert model.batches == [[0], [1, 3], [2, 5, 4]]


def test_who_left_is_not_computed() -> None:
    model = Model()

    async def scenario() -> None:
        runner = make_runner(model)
        first = asyncio.ensure_future(names(runner, text(0)))
        await entered(model)
        leaver = asyncio.ensure_future(names(runner, text(1), text(2)))
        stayer = asyncio.ensure_future(names(runner, text(3)))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.sleep(0)
        assert runner.depth == 1
        model.open.set()
        assert await stayer == [3]
        assert await first == [0]
        await runner.drain()

    run(scenario())
    assert model.batches == [[0], [3]]


def test_one_bad_text_fails_alone() -> None:
    model = Model()

    async def scenario() -> None:
        runner = make_runner(model)
        first = asyncio.ensure_future(names(runner, text(0)))
        await entered(model)
        later = [asyncio.ensure_future(names(runner, text(name))) for name in (1, -2, 3)]
        await asyncio.sleep(0)
        model.open.set()
        good, bad, fine = await asyncio.gather(*later, return_exceptions=True)
        assert (await first, good, fine) == ([0], [1], [3])
        assert isinstance(bad, ScoringError)
        assert isinstance(bad.__cause__, ValueError)
        await runner.drain()

    run(scenario())


def test_a_wait_over_the_budget_is_refused_with_when_to_try_again() -> None:
    model = Model()
    model.open.set()

    async def scenario() -> None:
        runner = make_runner(model, max_queue_s=1e-9)
        await names(runner, text(0))  # from which the cost of a token is known
        model.open.clear()
        first = asyncio.ensure_future(names(runner, text(1)))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError) as full:
            await names(runner, text(2))
        assert full.value.retry_after_s > 1e-9
        model.open.set()
        assert await first == [1]
        assert await names(runner, text(3)) == [3]
        await runner.drain()

    run(scenario())


def test_draining_takes_nothing_more_and_finishes_the_rest() -> None:
    model = Model()

    async def scenario() -> None:
        runner = make_runner(model)
        calls = [asyncio.ensure_future(names(runner, text(name))) for name in range(3)]
        await entered(model)
        draining = asyncio.ensure_future(runner.drain())
        await asyncio.sleep(0)
        with pytest.raises(DrainingError):
            await names(runner, text(9))
        assert not draining.done()
        model.open.set()
        assert await asyncio.gather(*calls) == [[0], [1], [2]]
        await draining

    run(scenario())


@thorough
@given(
    calls=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), min_size=1, max_size=12),
    lanes=st.integers(1, 3),
    begins=st.integers(0, 12),
)
def test_whenever_draining_begins_all_that_was_admitted_is_answered_and_the_lanes_end(
    calls: list[tuple[int, int]], lanes: int, begins: int
) -> None:
    """Calls of so many texts come in some turn of the event loop, and draining begins in one of them."""
    model = Model()
    model.open.set()

    async def scenario() -> None:
        runner = make_runner(model, lanes=lanes)

        async def call(turn: int, size: int) -> None:
            for _ in range(turn):
                await asyncio.sleep(0)
            texts = [text(number) for number in range(size)]
            if begins <= turn:
                with pytest.raises(DrainingError):
                    await runner.submit(texts)
            else:
                assert await names(runner, *texts) == list(range(size))

        async def drain() -> None:
            for _ in range(begins):
                await asyncio.sleep(0)
            await runner.drain()

        await asyncio.gather(drain(), *(call(turn, size) for turn, size in calls))

    before = threading.active_count()
    run(scenario())
    assert threading.active_count() == before
    assert sum(map(len, model.batches)) == sum(size for turn, size in calls if turn < begins)


def test_lanes_that_could_not_be_made_do_not_keep_draining() -> None:
    runner = Runner(Model(), lanes=1, batch_tokens=BUDGET, max_queue_s=1e9, observe=lambda _: None)
    run(runner.drain())


def test_a_deadline_is_kept_while_waiting_and_what_is_late_is_not_computed() -> None:
    model = Model()

    async def scenario() -> None:
        runner = make_runner(model)
        first = asyncio.ensure_future(names(runner, text(0)))
        await entered(model)
        with pytest.raises(DeadlineError):
            await runner.submit([text(1), text(2)], deadline=time.perf_counter() + 0.001)
        assert runner.depth == 0
        with pytest.raises(DeadlineError):
            await runner.submit([text(3)], deadline=time.perf_counter())
        model.open.set()
        assert await first == [0]
        assert await names(runner, text(4)) == [4]
        await runner.drain()

    run(scenario())
    assert model.batches == [[0], [4]]


def test_a_request_fails_with_the_index_of_its_bad_text() -> None:
    model = Model()
    model.open.set()

    async def scenario() -> None:
        runner = make_runner(model)
        with pytest.raises(ScoringError) as failed:
            await names(runner, *(text(name) for name in (1, 2, 3, -4, 5)))
        assert failed.value.index == 3
        assert await names(runner, text(6)) == [6]
        await runner.drain()

    run(scenario())


def test_warming_up_learns_what_a_batch_costs_and_counts_as_nothing_asked() -> None:
    model = Model()
    model.open.set()
    reports: list[BatchReport] = []

    async def scenario() -> None:
        runner = make_runner(model, lanes=2, reports=reports, max_queue_s=1e-9)
        await runner.warm_up([text(1, 3), text(2, 5)])
        assert runner.capacity.curve.seconds(BUDGET) > 0
        assert runner.capacity.used_ratio(time.perf_counter()) == 0
        assert reports == []
        await names(runner, text(3))
        assert runner.capacity.used_ratio(time.perf_counter()) > 0
        assert [report.tokens for report in reports] == [4]
        await runner.drain()

    run(scenario())
    assert len({len(batch).bit_length() for batch in model.batches}) > 4
    assert max(map(len, model.batches)) * 5 <= BUDGET


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no niceness of its own")
def test_who_is_nicer_already_stays_so() -> None:
    """A process may not make itself less nice, and a lane that tried would end."""
    seen: list[int] = []

    def model(batch: Sequence[Encoding]) -> Scores:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return np.zeros((len(batch), 1), np.float32)

    async def scenario() -> None:
        runner = Runner(model, lanes=1, batch_tokens=BUDGET, max_queue_s=1e9, observe=lambda _: None)
        runner.start()
        await runner.submit([text(1)])
        await runner.drain()

    def nice() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        run(scenario())

    server = threading.Thread(target=nice)
    server.start()
    server.join()
    assert seen == [19]


def test_a_lane_that_may_not_be_nicer_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a sandbox that forbids it."""

    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    model = Model()
    model.open.set()

    async def scenario() -> None:
        runner = make_runner(model)
        assert await names(runner, text(1)) == [1]
        await runner.drain()

    run(scenario())
