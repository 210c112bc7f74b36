"""Made-up rows lie between rows of their own label, and never reach what is learnt by or judged on."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.families.svm.machine import Labelled, search
from training.families.svm.smote import synthesise


def unit(random: np.random.Generator, count: int, size: int = 6) -> NDArray[np.float32]:
    found = random.normal(size=(count, size))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=2, max_size=3), st.integers(1, 8), st.integers(0, 99))
def test_labels_become_as_frequent_as_the_most_frequent(
    counts: list[int], neighbours: int, seed: int
) -> None:
    labels = [label for label, count in zip("abc", counts, strict=False) for _ in range(count)]
    vectors = unit(np.random.default_rng(seed), len(labels))
    made, names = synthesise(vectors, labels, neighbours)
    after = Counter(labels) + Counter(names)
    assert after == {label: count if count == 1 else max(counts) for label, count in Counter(labels).items()}
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)


def test_a_made_up_row_lies_between_two_rows_of_its_label() -> None:
    vectors = np.concatenate([unit(np.random.default_rng(0), 9), np.eye(6, dtype=np.float32)[:2]])
    made, names = synthesise(vectors, ["often"] * 9 + ["rare"] * 2, 5)
    assert names == ["rare"] * 7
    np.testing.assert_allclose(made[:, 2:], 0, atol=1e-6)
    assert (made[:, :2] >= 0).all()


def test_it_sees_only_rows_that_a_machine_is_fitted_on() -> None:
    random = np.random.default_rng(0)
    labels = ["often"] * 40 + ["rare"] * 20
    train, validation = unit(random, 60), unit(random, 10)
    seen: list[NDArray[np.float32]] = []

    def watch(vectors: NDArray[np.float32], names: Sequence[str]) -> Labelled:
        seen.append(vectors)
        return synthesise(vectors, names, 3)

    found = search(
        (train, labels),
        (validation, ["often", "rare"] * 5),
        [{"C": 1.0, "gamma": 1.0}],
        class_weight=None,
        oversample=watch,
    )
    assert len(found.machine.vectors) == 80
    assert sorted(map(len, seen)) == [8, 15, 30, 40, 40, 40, 60]
    rows = {row.tobytes() for row in train}
    assert all(row.tobytes() in rows for vectors in seen for row in vectors)
    probabilities = found.predict_proba(validation, ["often", "rare"])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
