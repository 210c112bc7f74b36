"""Choosing parameters by what they do on rows that nothing was learnt from."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TypeVar

from sklearn.metrics import f1_score

from training.progress import progress

_Model = TypeVar("_Model")


_SHARES = (8, 4, 2)  # one row in so many


def learning_curve(
    rows: int,
    train_labels: Sequence[str],
    try_some: Callable[[slice], Sequence[str]],
    labels: Sequence[str],
) -> list[tuple[float, float]]:
    """Tell what learning from fewer rows would have given, so that one sees whether more would help.

    Args:
        rows: How many rows there are to learn from.
        train_labels: Their labels; a share that lacks one of them is left out.
        try_some: Learns from these rows, and returns what it then says of the validation rows.
        labels: What it should say.

    Returns:
        Numbers of rows and the macro-F1 after each.
    """
    curve: list[tuple[float, float]] = []
    shares = [slice(None, None, step) for step in _SHARES]
    with progress("learning from fewer rows", len(shares)) as advance:
        for some in shares:
            if set(train_labels[some]) == set(train_labels):
                said = try_some(some)
                macro_f1 = float(f1_score(labels, said, average="macro"))
                curve.append((len(range(rows)[some]), macro_f1))
            advance(1)
    return curve


def best_by_macro_f1(
    candidates: Sequence[dict[str, float]],
    try_one: Callable[[dict[str, float]], tuple[_Model, Sequence[str]]],
    labels: Sequence[str],
) -> tuple[dict[str, float], _Model, float]:
    """Try every candidate and keep the best by macro-F1; among equals the first.

    Args:
        candidates: Parameter values, at least one set.
        try_one: Makes a model from one of them, and returns it with what it says of the validation rows.
        labels: What it should say.

    Returns:
        The best candidate, its model, and its macro-F1.
    """
    tried = []
    with progress("searching parameters", len(candidates)) as advance:
        for candidate in candidates:
            model, said = try_one(candidate)
            tried.append((float(f1_score(labels, said, average="macro")), candidate, model))
            advance(1)
    macro_f1, best, model = max(tried, key=itemgetter(0))
    return best, model, macro_f1
