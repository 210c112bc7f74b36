"""What models say of the same texts is compared by the figures that each has of its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.package import LABELS
from training.evaluate import evaluate
from training.predictions import Predictions

ROWS = st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, 2), st.integers(0, 2)), min_size=1)


def predictions(truth: list[str], said: list[int], labels: tuple[str, ...] = LABELS) -> Predictions:
    nothing = [""] * len(truth)
    scores = np.eye(len(labels), dtype=np.float32)[said]
    return Predictions(nothing, nothing, truth, labels, scores, [False] * len(truth))


@given(ROWS)
def test_a_change_is_that_of_the_figures_whatever_labels_the_texts_have(
    rows: list[tuple[str, int, int]],
) -> None:
    truth = [label for label, _, _ in rows]
    before = predictions(truth, [said for _, said, _ in rows])
    after = predictions(truth, [said for _, _, said in rows])
    figures = [evaluate(one.scores, one.labels, truth).macro_f1 for one in (before, after)]
    value, lower, upper = after.macro_f1_change(before)
    assert value == pytest.approx(figures[1] - figures[0])
    assert lower <= upper


def test_a_label_that_a_model_does_not_know_is_never_said_by_it() -> None:
    two = predictions(["neutral", "positive"], [0, 1], ("negative", "positive"))
    assert two.said(LABELS).tolist() == [0, 2]
    assert two.used() == ["positive"]
    assert predictions(["neutral", "negative"], [1, 2]).said(two.labels).tolist() == [0, 1]
