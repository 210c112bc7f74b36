"""Intervals are as wide as chance makes them, and values are those of scikit-learn and scipy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from training.bootstrap import accuracy_change, estimates, share

CLASSES = st.integers(0, 2)


@given(st.lists(st.tuples(CLASSES, CLASSES), min_size=1, max_size=60))
def test_values_are_those_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    truth, said = zip(*rows, strict=True)
    found = estimates(confusion_matrix(truth, said, labels=[0, 1, 2]))
    for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        expected = score(truth, said, labels=[0, 1, 2], average="macro", zero_division=0)
        np.testing.assert_allclose(found[f"macro_{name}"][0], expected, atol=1e-12)
    for _, lower, upper in found.values():
        assert 0 <= lower <= upper <= 1


@given(st.integers(1, 3000).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows))))
def test_the_interval_of_a_share_is_wilsons(counts: tuple[int, int]) -> None:
    right, rows = counts
    expected = binomtest(right, rows).proportion_ci(method="wilson")
    value, lower, upper = share(right, rows)
    assert value == right / rows
    np.testing.assert_allclose([lower, upper], [expected.low, expected.high], atol=1e-6)
    assert 0 <= lower <= value <= upper <= 1


def test_few_rows_that_are_all_right_or_all_wrong_are_not_sure() -> None:
    assert share(3, 3)[1] < 0.5
    assert share(0, 1)[2] > 0.5


def test_the_same_rows_are_drawn_for_both_sides_of_a_change() -> None:
    right = np.random.default_rng(0).random(500) < 0.7
    assert accuracy_change(right, right) == (0, 0, 0)
    worse = right.copy()
    worse[np.flatnonzero(right)[:50]] = False
    value, lower, upper = accuracy_change(right, worse)
    assert value == -0.1
    assert -0.13 < lower < -0.1 < upper < -0.07
