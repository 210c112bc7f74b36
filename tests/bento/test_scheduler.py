"""The scheduler's promises, on a simulated clock and simulated lanes: nothing here waits."""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bento.scheduler import Scheduler
from bento.scorer import Encoding
from bento.work import Batch, DeadlineError, QueueFullError, Request, ScoringError, Text

thorough = settings(
    max_examples=1_000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

BATCH_TOKENS = 128


@dataclass(frozen=True)
class Call:
    """A caller: comes, perhaps stays for a limited time, perhaps leaves, perhaps with a poisonous text."""

    at: int
    lengths: list[int]
    patience: int | None = None
    leaves_after: int | None = None
    poison: int | None = None


@dataclass(eq=False)
class Outcome:
    call: Call
    request: Request | None = None
    ends: list[float] = field(default_factory=list)
    due_before: int = 0
    started: dict[int, float] = field(default_factory=dict)
    refused: Exception | None = None


class Simulation:
    """Lanes whose batches take `a + b * (tokens + cost of padding)`, times what is drawn for each batch."""

    def __init__(
        self,
        *,
        lanes: int,
        slowness: list[int],
        a: float = 3,
        b: float = 0.125,
        max_queue: float = math.inf,
        padding_cost: float = 1,
    ) -> None:
        self.now = 0.0
        self.lanes = lanes
        self.scheduler = Scheduler(
            lanes=lanes, batch_tokens=BATCH_TOKENS, max_queue_s=max_queue, clock=lambda: self.now
        )
        self.scheduler.capacity.padding_cost = padding_cost
        self.batches: list[Batch] = []
        self.cheap_padding_tokens: list[float] = []  # when each of them was taken
        self.longest = 0.0
        self.again = 0
        self.most_waiting = 0
        self._a, self._b = a, b
        self._slowness = slowness or [1]
        self._order = count()
        self._names = count()
        self._events: list[tuple[float, int, object]] = []
        self._running = 0
        self._open: list[Request] = []
        self._by_request: dict[int, Outcome] = {}

    def play(self, calls: list[Call]) -> list[Outcome]:
        """Let everyone come and the queue run empty."""
        outcomes = [Outcome(call) for call in calls]
        for outcome in outcomes:
            self._later(outcome.call.at, outcome)
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            match event:
                case Outcome():
                    self._come(event)
                case Request():
                    self.scheduler.withdraw(event)
                case Batch():
                    self._finish(event)
            self._fill()
        assert self.scheduler.idle
        return outcomes

    def outcome_of(self, text: Text) -> Outcome:
        return self._by_request[id(text.request)]

    def _later(self, at: float, event: object) -> None:
        heapq.heappush(self._events, (at, next(self._order), event))

    def _come(self, outcome: Outcome) -> None:
        call = outcome.call
        texts = [Encoding([next(self._names)] * length, truncated=False) for length in call.lengths]
        if call.poison is not None:
            texts[call.poison % len(texts)].ids[0] = -1
        deadline = math.inf if call.patience is None else self.now + call.patience
        waiting = self.waiting()
        try:
            request = self.scheduler.admit(texts, lambda _: outcome.ends.append(self.now), deadline)
        except (DeadlineError, QueueFullError) as refused:
            outcome.refused = refused
            return
        outcome.request = request
        outcome.due_before = sum(text.due < request.texts[0].due for text in waiting)
        rivals = {id(text.request) for text in waiting}
        assert outcome.due_before <= 2 * len(rivals)
        self._open.append(request)
        self._by_request[id(request)] = outcome
        if call.leaves_after is not None:
            self._later(self.now + call.leaves_after, request)

    def waiting(self) -> list[Text]:
        self._open = [request for request in self._open if not request.over]
        return [text for request in self._open for text in request.texts if text.waits]

    def _fill(self) -> None:
        self.most_waiting = max(self.most_waiting, len({id(text.request) for text in self.waiting()}))
        while True:
            cheap_padding_tokens = self.scheduler.capacity.cheap_padding_tokens
            batch = self.scheduler.take()
            if batch is None:
                break
            self._running += 1
            self.batches.append(batch)
            self.cheap_padding_tokens.append(cheap_padding_tokens)
            for text in batch.texts:
                assert not text.request.over, "nobody waits for it any more"
                assert self.now < text.request.deadline
                self.outcome_of(text).started.setdefault(text.index, self.now)
            slowness = self._slowness[len(self.batches) % len(self._slowness)]
            seconds = slowness * (self._a + self._b * self._weigh(batch))
            self.longest = max(self.longest, seconds)
            self._later(self.now + seconds, batch)
        assert self._running <= self.lanes
        assert self._running == self.lanes or self.scheduler.depth == 0, "a lane idles while a text waits"

    def _weigh(self, batch: Batch) -> float:
        return batch.tokens + self.scheduler.capacity.padding_cost * (batch.padded_tokens - batch.tokens)

    def _finish(self, batch: Batch) -> None:
        self._running -= 1
        names = [encoding.ids[0] for encoding in batch.encodings]
        if min(names) < 0:
            self.again += min(2, len(names))
            self.scheduler.fail(batch, ValueError())
        else:
            self.scheduler.finish(batch, np.array([[name] for name in names], np.float32), 1.0)


lengths = st.one_of(
    st.lists(st.integers(1, 150), min_size=1, max_size=1),
    st.lists(st.integers(1, 150), min_size=1, max_size=30),
)
slowness = st.lists(st.integers(1, 4), max_size=5)
padding_costs = st.sampled_from([1, 0.125])


def calls(
    *, patience: bool = False, leaving: bool = False, poison: bool = False
) -> st.SearchStrategy[list[Call]]:
    some = st.one_of(st.none(), st.integers(0, 60))
    none = st.none()
    return st.lists(
        st.builds(
            Call,
            at=st.integers(0, 60),
            lengths=lengths,
            patience=some if patience else none,
            leaves_after=some if leaving else none,
            poison=some if poison else none,
        ),
        min_size=1,
        max_size=20,
    )


def answers(request: Request) -> Iterator[bool]:
    for text in request.texts:
        yield request.scored[text.index].scores[0] == text.encoding.ids[0]


@thorough
@given(calls=calls(patience=True, leaving=True, poison=True), lanes=st.integers(1, 4), slowness=slowness)
def test_everyone_is_answered_once_with_their_own_answer_or_told_why_not(
    calls: list[Call], lanes: int, slowness: list[int]
) -> None:
    """That nothing late or left is computed, and that no lane idles, the simulation asserts at each step."""
    simulation = Simulation(lanes=lanes, slowness=slowness)
    for outcome in simulation.play(calls):
        call, request = outcome.call, outcome.request
        if request is None:
            assert isinstance(outcome.refused, (DeadlineError, QueueFullError))
            assert call.patience is not None, "without a deadline, and with no limit, everyone is admitted"
            continue
        assert len(outcome.ends) <= 1
        if not outcome.ends:
            assert call.leaves_after is not None
        elif request.error is None:
            assert call.poison is None
            assert all(answers(request))
        elif isinstance(request.error, ScoringError):
            assert call.poison is not None
            assert request.error.index == call.poison % len(call.lengths)
            assert isinstance(request.error.__cause__, ValueError)
        else:
            assert isinstance(request.error, DeadlineError)
            assert outcome.ends[0] >= request.deadline


@thorough
@given(calls=calls(leaving=True), lanes=st.integers(1, 4), slowness=slowness, padding_cost=padding_costs)
def test_no_batch_is_over_its_budget_or_more_padding_than_is_allowed(
    calls: list[Call], lanes: int, slowness: list[int], padding_cost: float
) -> None:
    simulation = Simulation(lanes=lanes, slowness=slowness, padding_cost=padding_cost)
    simulation.play(calls)
    for batch, cheap_padding_tokens in zip(simulation.batches, simulation.cheap_padding_tokens, strict=True):
        sizes = [len(text) for text in batch.texts]
        assert batch.padded_tokens == len(sizes) * max(sizes)
        assert batch.tokens == sum(sizes)
        assert batch.padded_tokens <= BATCH_TOKENS or len(sizes) == 1
        padding = batch.padded_tokens - batch.tokens
        assert padding <= max(cheap_padding_tokens, batch.padded_tokens / 32)


@thorough
@given(calls=calls(leaving=True), lanes=st.integers(1, 4), slowness=slowness, padding_cost=padding_costs)
def test_every_wait_is_within_its_bound(
    calls: list[Call], lanes: int, slowness: list[int], padding_cost: float
) -> None:
    simulation = Simulation(lanes=lanes, slowness=slowness, padding_cost=padding_cost)
    for outcome in simulation.play(calls):
        for index, started in outcome.started.items():
            rounds = (index + 2) * simulation.most_waiting
            assert started - outcome.call.at <= math.ceil(rounds / lanes) * simulation.longest
        if 0 in outcome.started:
            batches = math.ceil((outcome.due_before + 1) / lanes)
            assert outcome.started[0] - outcome.call.at <= batches * simulation.longest


@thorough
@given(calls=calls(poison=True), lanes=st.integers(1, 4), slowness=slowness)
def test_poison_delays_by_the_batches_that_are_scored_again(
    calls: list[Call], lanes: int, slowness: list[int]
) -> None:
    simulation = Simulation(lanes=lanes, slowness=slowness)
    for outcome in simulation.play(calls):
        if 0 in outcome.started:
            batches = math.ceil((outcome.due_before + simulation.again + 1) / lanes)
            assert outcome.started[0] - outcome.call.at <= batches * simulation.longest


@thorough
@given(
    size=st.integers(1, 40),
    at=st.integers(0, 100),
    lanes=st.integers(1, 4),
    large=st.integers(1, 3),
    slowness=slowness,
)
def test_a_large_request_delays_a_later_text_by_two_batches_at_most(
    size: int, at: int, lanes: int, large: int, slowness: list[int]
) -> None:
    simulation = Simulation(lanes=lanes, slowness=slowness)
    texts = [size + index % 7 for index in range(256)]  # no large request is larger
    outcomes = simulation.play([*(Call(0, texts) for _ in range(large)), Call(at, [size])])
    waited = outcomes[-1].started[0] - at
    assert waited <= math.ceil((2 * large + 1) / lanes) * simulation.longest


@thorough
@given(lanes=st.integers(1, 3), size=st.integers(60, 100), texts=st.integers(2, 8), slack=st.integers(0, 3))
def test_a_stream_of_single_texts_does_not_starve_a_large_request(
    lanes: int, size: int, texts: int, slack: int
) -> None:
    """The stream alone would keep all lanes busy: each of its texts fills a batch, and the next one comes."""
    simulation = Simulation(lanes=lanes, slowness=[1])
    stream = [Call((19 + slack) * (number // lanes), [BATCH_TOKENS]) for number in range(60 * lanes)]
    outcome = simulation.play([*stream[:lanes], Call(0, [size] * texts), *stream[lanes:]])[lanes]
    rounds = (texts + 1) * simulation.most_waiting
    assert max(outcome.started.values()) <= math.ceil(rounds / lanes) * simulation.longest
    assert max(outcome.started.values()) < stream[-1].at, "it need not wait for the end of the stream"


@thorough
@given(calls=calls(), lanes=st.integers(1, 4), limit=st.integers(0, 40), padding_cost=padding_costs)
def test_who_is_admitted_waits_within_the_limit_and_who_is_refused_is_told_how_long(
    calls: list[Call], lanes: int, limit: int, padding_cost: float
) -> None:
    """On a machine as even as its curve; one batch is what the prediction may be wrong by."""
    simulation = Simulation(lanes=lanes, slowness=[1], max_queue=limit, padding_cost=padding_cost)
    for tokens in (1, BATCH_TOKENS) * 4:
        simulation.scheduler.capacity.learn(
            texts=1, tokens=tokens, padded_tokens=tokens, seconds=3 + 0.125 * tokens
        )
    for outcome in simulation.play(calls):
        if outcome.refused is None:
            assert outcome.started[0] - outcome.call.at <= limit + simulation.longest
        else:
            assert isinstance(outcome.refused, QueueFullError)
            assert outcome.refused.retry_after_s > limit


@pytest.mark.parametrize("seed", range(2))
def test_on_an_uneven_machine_nearly_all_wait_within_the_limit_too(seed: int) -> None:
    """At twice the capacity, once it is known how uneven it is; one batch is allowed as above."""
    random = np.random.default_rng(seed)
    limit, calls = 400, 8_000
    simulation = Simulation(lanes=2, slowness=[1, 1, 1, 1, 3, 1, 2], max_queue=limit)
    arrivals = np.cumsum(random.exponential(1.6, calls))
    lengths = np.clip(random.lognormal(3, 0.6, calls), 6, 128)
    outcomes = simulation.play(
        [Call(int(at), [int(length)]) for at, length in zip(arrivals, lengths, strict=True)]
    )

    later = [outcome for outcome in outcomes[calls // 4 :] if outcome.refused is None]
    waits = [outcome.started[0] - outcome.call.at for outcome in later]
    assert len(later) < 0.8 * len(outcomes[calls // 4 :]), "it was overloaded"
    assert np.quantile(waits, 0.99) <= limit + simulation.longest
    assert np.quantile(waits, 0.5) > limit / 2, "it admits what it can"


def test_a_prediction_is_what_then_happens() -> None:
    simulation = Simulation(lanes=1, slowness=[1])
    scheduler = simulation.scheduler
    for tokens in (1, BATCH_TOKENS):
        scheduler.capacity.learn(texts=1, tokens=tokens, padded_tokens=tokens, seconds=3 + 0.125 * tokens)
    assert scheduler.predicted_wait_s() == 0, "the lane is free"
    scheduler.admit([Encoding([1] * BATCH_TOKENS, truncated=False)], lambda _: None)
    assert scheduler.predicted_wait_s() == pytest.approx(19), "it will take the text that came first"
    assert scheduler.take()
    assert scheduler.predicted_wait_s() == pytest.approx(19)
    simulation.now = 4
    assert scheduler.predicted_wait_s() == pytest.approx(15)
    scheduler.admit([Encoding([1] * BATCH_TOKENS, truncated=False)], lambda _: None)
    assert scheduler.predicted_wait_s() == pytest.approx(15 + 19)


def test_who_cannot_be_served_before_the_deadline_is_refused_at_once() -> None:
    simulation = Simulation(lanes=1, slowness=[1])
    scheduler = simulation.scheduler
    scheduler.capacity.learn(texts=1, tokens=10, padded_tokens=10, seconds=5)
    text = Encoding([1] * 10, truncated=False)
    scheduler.admit([text], lambda _: None)
    scheduler.take()
    with pytest.raises(QueueFullError) as full:
        scheduler.admit([text], lambda _: None, deadline=4)
    assert full.value.retry_after_s == pytest.approx(5)
    scheduler.admit([text], lambda _: None, deadline=6)
    assert scheduler.depth == 1


def test_who_cannot_join_in_time_is_refused_whatever_the_queue() -> None:
    scheduler = Simulation(lanes=1, slowness=[1], max_queue=10).scheduler
    scheduler.refuse_if_full(1, not_before_s=10)
    with pytest.raises(QueueFullError) as full:
        scheduler.refuse_if_full(1, not_before_s=11)
    assert full.value.retry_after_s == 11
    with pytest.raises(QueueFullError):
        scheduler.refuse_if_full(1, deadline=5, not_before_s=6)


def test_idle_lanes_share_a_large_request() -> None:
    simulation = Simulation(lanes=2, slowness=[1])
    simulation.play([Call(0, [16] * 16)])
    assert [len(batch.texts) for batch in simulation.batches[:2]] == [8, 8]
