"""Predictions are stretched until nearly all waits keep to them, and no more than that."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.lateness import Lateness


def follow(ratios: list[float], lateness: Lateness | None = None) -> Lateness:
    lateness = lateness or Lateness()
    for ratio in ratios:
        lateness.learn(predicted_s=2.0, waited_s=2.0 * ratio)
    return lateness


@given(st.lists(st.floats(0, 1), max_size=200))
def test_predictions_that_are_kept_stay_as_they_are(ratios: list[float]) -> None:
    assert follow(ratios).factor == 1


@given(st.lists(st.floats(0, 100), max_size=2_000))
def test_the_factor_is_never_below_one_nor_above_two(ratios: list[float]) -> None:
    assert 1 <= follow(ratios).factor <= 2


@pytest.mark.parametrize("spread", [0.1, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_it_comes_to_what_all_but_one_in_two_hundred_keep(spread: float, seed: int) -> None:
    ratios = np.random.default_rng(seed).normal(1.0, spread, 40_000)

    factor = follow(ratios[:20_000].tolist()).factor

    assert 0.001 < (ratios[20_000:] > factor).mean() < 0.015


def test_a_machine_that_slows_down_is_known_within_hundreds_of_waits_and_forgiven_later() -> None:
    slow = follow([1.3] * 200)
    assert slow.factor == pytest.approx(1.3, abs=0.01)

    assert follow([0.9] * 50_000, slow).factor == 1
