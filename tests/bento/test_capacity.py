"""The cost curve finds the line behind the batches, whatever disturbs some of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bento.capacity import Capacity, CostCurve

SHAPES = (1, 5, 17, 60, 130, 300, 700, 1024)


def feed(curve: CostCurve, a_s: float, b_s: float, times: int) -> None:
    for _ in range(times):
        for tokens in SHAPES:
            curve.learn(tokens, a_s + b_s * tokens)


@settings(max_examples=1_000, deadline=None, derandomize=True)
@given(a_us=st.integers(1, 10_000), b_us=st.integers(1, 500), large=st.integers(1, 10_000))
def test_a_line_is_found(a_us: int, b_us: int, large: int) -> None:
    curve = CostCurve()
    feed(curve, a_us / 1e6, b_us / 1e6, 1)
    assert curve.seconds(large) == pytest.approx((a_us + b_us * large) / 1e6, rel=1e-6)


@settings(max_examples=1_000, deadline=None, derandomize=True)
@given(
    batches=st.lists(st.tuples(st.integers(0, 5_000), st.floats(0, 10)), min_size=1, max_size=60),
    tokens=st.integers(0, 10_000),
)
def test_more_tokens_never_cost_less_and_nothing_is_free(
    batches: list[tuple[int, float]], tokens: int
) -> None:
    curve = CostCurve()
    for padded_tokens, seconds in batches:
        curve.learn(padded_tokens, seconds)
    assert 0 <= curve.seconds(tokens) <= curve.seconds(tokens + 1) < float("inf")


@settings(max_examples=1_000, deadline=None, derandomize=True)
@given(outliers=st.lists(st.sampled_from(SHAPES), max_size=6), slower=st.floats(1, 1_000))
def test_outliers_do_not_move_it(outliers: list[int], slower: float) -> None:
    curve = CostCurve()
    feed(curve, 1e-3, 2e-5, 15)
    for tokens in outliers:
        curve.learn(tokens, slower * (1e-3 + 2e-5 * tokens))
    assert curve.seconds(500) == pytest.approx(0.011, rel=1e-6)


def test_a_machine_that_slows_down_is_noticed_by_the_batches_that_it_still_scores() -> None:
    curve = CostCurve()
    feed(curve, 1e-3, 2e-5, 15)
    for _ in range(1_000):
        curve.learn(300, 3 * (1e-3 + 2e-5 * 300))
    assert curve.seconds(300) == pytest.approx(3 * 0.007, rel=0.2)
    assert curve.seconds(4096) > 2 * (1e-3 + 2e-5 * 4096)


def test_before_the_first_batch_nothing_is_known() -> None:
    capacity = Capacity(lanes=2, batch_tokens=100)
    capacity.ask(1_000, now=0)
    assert (capacity.used_ratio(0), capacity.headroom(0)) == (0, 0)


def test_used_ratio_is_what_was_asked_over_what_can_be_scored_in_10_s() -> None:
    """1 s for a full batch of 100 on two lanes: 200 tokens, or 20 texts, a second."""
    capacity = Capacity(lanes=2, batch_tokens=100)
    capacity.learn(texts=10, tokens=100, padded_tokens=100, seconds=1)
    for tenth in range(200):
        capacity.ask(5, now=tenth / 10)
        if tenth >= 100:
            assert capacity.used_ratio(tenth / 10 + 0.1 - 1e-9) == pytest.approx(0.25, rel=1e-3)
    assert capacity.headroom(19.999) == pytest.approx(15, rel=1e-3)
    assert capacity.used_ratio(24.999) == pytest.approx(0.125, rel=1e-3)
    assert capacity.used_ratio(40.0) == 0
    assert capacity.headroom(40.0) == pytest.approx(20, rel=1e-3)
    capacity.ask(6_000, now=41)
    assert capacity.used_ratio(41.999) == pytest.approx(3, rel=1e-3)
    assert capacity.headroom(41) == 0


def test_demand_is_taken_over_and_what_it_costs_is_not() -> None:
    previous, capacity = (Capacity(lanes=1, batch_tokens=100) for _ in range(2))
    previous.learn(texts=1, tokens=100, padded_tokens=100, seconds=1)
    capacity.learn(texts=1, tokens=100, padded_tokens=100, seconds=2)
    previous.ask(250, now=0)
    capacity.take_over_demand(previous)
    assert capacity.used_ratio(0.999) == pytest.approx(0.5, rel=1e-3)
    capacity.ask(250, now=0)
    assert capacity.used_ratio(0.999) == pytest.approx(1, rel=1e-3)
    assert previous.used_ratio(0.999) == pytest.approx(0.25, rel=1e-3)


def test_padding_takes_from_the_capacity() -> None:
    capacity = Capacity(lanes=1, batch_tokens=100)
    capacity.learn(texts=10, tokens=50, padded_tokens=100, seconds=1)
    capacity.ask(250, now=0)
    assert capacity.used_ratio(0.999) == pytest.approx(0.5, rel=1e-3)


def test_padding_is_cheap_up_to_half_of_what_a_batch_costs_before_its_first_token() -> None:
    capacity = Capacity(lanes=1, batch_tokens=100)
    assert capacity.cheap_padding_tokens == 100  # as long as nothing is known
    for tokens in (10, 20, 40, 80):
        capacity.learn(texts=1, tokens=tokens, padded_tokens=tokens, seconds=2 + tokens / 10)
    assert capacity.cheap_padding_tokens == pytest.approx(10)


def test_padding_that_costs_less_counts_for_less_and_more_of_it_is_cheap() -> None:
    capacity = Capacity(lanes=1, batch_tokens=100)
    capacity.padding_cost = 0.25
    for tokens in (10, 20, 40, 80):
        capacity.learn(texts=1, tokens=tokens // 2, padded_tokens=tokens, seconds=2 + tokens / 16)
    assert capacity.weigh(5, 10) == pytest.approx(6.25)
    assert capacity.padding == pytest.approx(1.25)
    assert capacity.curve.seconds(50) == pytest.approx(2 + 50 / 10, rel=0.05)
    assert capacity.cheap_padding_tokens == pytest.approx(40, rel=0.1)
