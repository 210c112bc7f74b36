"""The tests that undo a release are exact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from k8s.release.statistics import binomial_tail, fisher_tail

counts = st.integers(0, 3000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(counts, st.floats(1e-4, 0.5))
def test_the_binomial_tail_is_scipys(count: tuple[int, int], ratio: float) -> None:
    bad, total = count
    assert binomial_tail(bad, total, ratio) == pytest.approx(
        float(stats.binom.sf(bad - 1, total, ratio)), rel=1e-6, abs=1e-12
    )


@given(counts, counts)
def test_fishers_tail_is_scipys(new: tuple[int, int], before: tuple[int, int]) -> None:
    (bad, total), (bad_before, total_before) = new, before
    expected = stats.hypergeom.sf(bad - 1, total + total_before, bad + bad_before, total) if bad else 1.0
    assert fisher_tail(*new, *before) == pytest.approx(float(expected), rel=1e-5, abs=1e-12)


def test_a_million_requests_are_judged_at_once() -> None:
    assert fisher_tail(30_000, 1_000_000, 20_000, 1_000_000) < 1e-9
    assert fisher_tail(10_000, 1_000_000, 10_000, 1_000_000) == pytest.approx(0.5, abs=0.01)
