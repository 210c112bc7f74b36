"""What a numeric form costs is measured, and one that costs too much is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from bento.package import Quantisation
from training.bootstrap import macro_f1_change
from training.form_cost import describe, is_acceptable

CLASSES = st.integers(0, 2)
GOOD = Quantisation(method="any", macro_f1_change_lower_bound=-0.004, batch_difference=0.009)


@given(st.lists(st.tuples(CLASSES, CLASSES, CLASSES), min_size=1, max_size=60))
def test_the_change_is_that_of_macro_f1_and_lies_in_its_interval(rows: list[tuple[int, int, int]]) -> None:
    truth, before, after = np.array(rows).T
    labels = range(np.array(rows).max() + 1)
    change, lower, upper = macro_f1_change(truth, before, after)
    expected = [
        f1_score(truth, said, labels=labels, average="macro", zero_division=0) for said in (before, after)
    ]
    np.testing.assert_allclose(change, expected[1] - expected[0], atol=1e-12)
    assert lower <= upper


def test_the_interval_is_as_wide_as_chance_makes_it() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, 1000)
    before, after = (np.where(random.random(1000) < 0.1, 1 - truth, truth) for _ in range(2))
    change, lower, upper = macro_f1_change(truth, before, after)
    assert lower < change < upper
    np.testing.assert_allclose(upper - lower, 2 * 1.96 * (2 * 0.1 * 0.9 / 1000) ** 0.5, rtol=0.15)


def test_saying_the_same_costs_nothing() -> None:
    same = np.array([0, 1, 2, 2, 1])
    assert macro_f1_change(same, same, same) == (0, 0, 0)


@pytest.mark.parametrize(
    "too_bad",
    [{"macro_f1_change_lower_bound": -0.006}, {"batch_difference": 0.011}, {"batch_flips": 0.003}],
    ids=lambda fields: next(iter(fields)),
)
def test_a_form_is_refused_for_each_line_it_crosses(too_bad: dict[str, float]) -> None:
    assert is_acceptable(GOOD)
    assert not is_acceptable(GOOD.model_copy(update=too_bad))


def test_people_are_told_what_it_costs() -> None:
    assert describe(GOOD) == (
        "any: macro-F1 +0.00 points (-0.40 to +0.00), same sentiment for 100.00%, "
        "moved at most 0.009000 by batch mates"
    )
