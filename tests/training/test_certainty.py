"""Of the predictions that are certain, the promised share is right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bento.package import LABELS
from training.certainty import find_certainty

_TRAININGS = 200


def draw(random: np.random.Generator, rows: int) -> tuple[NDArray[np.float32], tuple[str, ...], list[str]]:
    """Draw scores, and labels that are a little less sure than these, as of a model that is too sure."""
    logits = random.normal(0, 2, (rows, 3))
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    honest = 0.95 * scores + 0.05 / 3
    drawn = (honest.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1)
    return scores.astype(np.float32), LABELS, [LABELS[min(place, 2)] for place in drawn]


def share_right(scores: NDArray[np.float32], truth: list[str], threshold: float) -> float:
    certain = scores.max(axis=1) >= threshold
    right = np.array(LABELS)[scores.argmax(axis=1)] == np.array(truth)
    return float(right[certain].mean())


def test_the_promise_is_kept_on_other_rows_in_19_of_20_trainings() -> None:
    random = np.random.default_rng(0)
    others, _, truth = draw(random, 100_000)
    kept = []
    for _ in range(_TRAININGS):
        found = find_certainty(*draw(random, 1_000), 0.95)
        kept.append(found.threshold is None or share_right(others, truth, found.threshold) >= 0.95)
    assert np.mean(kept) >= 0.95


def test_it_is_of_use_where_the_model_is() -> None:
    found = find_certainty(*draw(np.random.default_rng(1), 2_000), 0.9)
    assert found.threshold is not None
    assert found.share > 0.1
    assert found.promise == 0.9


@pytest.mark.parametrize("most", [0.99, 0.94, 0.7])
def test_it_is_of_use_however_high_confidence_gets(most: float) -> None:
    """As with smoothed labels: the sure texts are all about as confident, and right."""
    random = np.random.default_rng(4)
    sure = random.random(2_000) < 0.5
    confidence = np.where(sure, most, most - 0.15) + random.uniform(-0.01, 0.01, 2_000)
    scores = np.stack([confidence, 0.7 * (1 - confidence), 0.3 * (1 - confidence)], axis=1)
    right = random.random(2_000) < np.where(sure, 0.98, 0.7)
    found = find_certainty(
        scores.astype(np.float32), LABELS, [LABELS[0] if one else LABELS[1] for one in right], 0.95
    )
    assert 0.45 < found.share < 0.6


def test_a_higher_promise_is_never_kept_by_a_lower_threshold() -> None:
    rows = draw(np.random.default_rng(2), 2_000)
    thresholds = [find_certainty(*rows, promise).threshold or 1.0 for promise in (0.7, 0.8, 0.9, 0.97)]
    assert thresholds == sorted(thresholds)


def test_a_model_that_guesses_promises_nothing() -> None:
    random = np.random.default_rng(3)
    scores, _, _ = draw(random, 2_000)
    truth = [LABELS[place] for place in random.integers(0, 3, 2_000)]
    found = find_certainty(scores, LABELS, truth, 0.95)
    assert (found.threshold, found.share) == (None, 0.0)


@given(st.integers(1, 79))
def test_so_few_rows_prove_nothing(rows: int) -> None:
    scores = np.tile(np.array([[0.998, 0.001, 0.001]], np.float32), (rows, 1))
    assert find_certainty(scores, LABELS, ["negative"] * rows, 0.95).threshold is None
