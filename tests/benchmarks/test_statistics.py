"""Quantiles and slopes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.statistics import median, quantile, slope


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_a_value_that_the_share_does_not_exceed(values: list[float], share: float) -> None:
    found = quantile(sorted(values), share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values)


def test_nothing_has_no_quantile() -> None:
    assert math.isnan(quantile([], 0.5))


@given(st.integers(40, 400), st.floats(-5, 5), st.floats(-100, 100))
def test_a_line_has_its_own_slope_for_sure(count: int, rise: float, start: float) -> None:
    found, within = slope([start + rise * step for step in range(count)])

    assert found == pytest.approx(rise, abs=1e-6)
    assert within == pytest.approx(0, abs=1e-6)


def test_noise_without_a_trend_has_no_slope_in_19_of_20_cases() -> None:
    random = np.random.default_rng(0)
    within = 0
    for _ in range(200):
        found, half = slope(random.normal(300, 2, 600).tolist())
        within += abs(found) <= half

    assert 180 <= within <= 199


def test_a_median_leaves_out_what_is_not_a_number() -> None:
    assert median([3.0, math.nan, 1.0, 2.0]) == 2.0
    assert math.isnan(median([math.nan]))


def test_too_few_values_have_no_slope() -> None:
    with pytest.raises(ValueError, match="39 values"):
        slope([1.0] * 39)
