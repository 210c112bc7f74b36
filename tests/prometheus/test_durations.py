"""Durations are divided, wherever Prometheus allows one, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prometheus.durations import seconds, shorten, shorten_all


@pytest.mark.parametrize(("written", "long_s"), [("30s", 30), ("5m", 300), ("6h", 21_600), ("3d", 259_200)])
def test_a_duration_in_seconds(written: str, long_s: float) -> None:
    assert seconds(written) == long_s


@pytest.mark.parametrize("written", ["", "5", "m", "5 m", "1h30m", "5w"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 5m"):
        seconds(written)


@given(st.integers(1, 1000), st.sampled_from(["m", "h", "d"]))
def test_a_sixtieth_is_a_sixtieth(number: int, unit: str) -> None:
    assert seconds(shorten(f"{number}{unit}", 60)) == pytest.approx(seconds(f"{number}{unit}") / 60)


@given(st.sampled_from(["5m", "1h", "3d", "0s"]))
def test_at_the_shipped_pace_nothing_is_rewritten(written: str) -> None:
    assert shorten(written, 1) == written


def test_windows_and_offsets_are_divided_and_names_and_strings_are_not() -> None:
    expr = 'x:rate5m{slo="1h"} > sum(rate(y{a="5m"}[5m] offset 10m)) * 60'
    assert shorten_all(expr, 60) == 'x:rate5m{slo="1h"} > sum(rate(y{a="5m"}[5000ms] offset 10000ms)) * 60'
