"""Figures of a model are those that their names mean."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from training.evaluate import evaluate

LABELS = ("negative", "neutral", "positive")


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, 2)), min_size=1, max_size=40))
def test_they_are_those_of_scikit_learn(rows: list[tuple[str, int]]) -> None:
    truth = [label for label, _ in rows]
    scores = np.eye(3, dtype=np.float32)[[said for _, said in rows]]
    found = evaluate(scores, LABELS, truth)
    used = [label for label in LABELS if label in truth]
    columns = [LABELS.index(label) for label in used]
    said = [used[column] for column in scores[:, columns].argmax(axis=1)]
    expected = precision_recall_fscore_support(truth, said, labels=used, zero_division=0.0)
    figures = [(one.precision, one.recall, one.f1, one.rows) for one in found.classes.values()]
    np.testing.assert_allclose(figures, np.transpose(expected))


def test_figures_are_those_that_the_words_mean() -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]], np.float32)
    found = evaluate(scores, ["negative", "positive"], ["negative", "negative", "positive", "positive"])
    assert found.confusion == [[1, 1], [0, 2]]
    assert found.accuracy == 0.75
    assert found.classes["negative"].precision == 1.0
    assert found.classes["negative"].recall == 0.5
    np.testing.assert_allclose(found.macro_f1, (2 / 3 + 4 / 5) / 2)


def test_on_rows_of_two_labels_a_model_of_three_chooses_between_these() -> None:
    scores = np.array([[0.3, 0.6, 0.1], [0.1, 0.5, 0.4]], np.float32)
    assert evaluate(scores, LABELS, ["negative", "positive"]).accuracy == 1.0
