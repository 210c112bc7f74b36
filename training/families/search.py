"""Choosing parameters by what they do on rows that nothing was learnt from."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TypeVar

from sklearn.metrics import f1_score

from training.progress import progress

_Model = TypeVar("_Model")


def best_by_macro_f1(
    candidates: Sequence[dict[str, float]],
    try_one: Callable[[dict[str, float]], tuple[_Model, Sequence[str]]],
    labels: Sequence[str],
) -> tuple[dict[str, float], _Model]:
    """Try every candidate and keep the best by macro-F1; among equals the first.

    Args:
        candidates: Parameter values, at least one set.
        try_one: Makes a model from one of them, and returns it with what it says of the validation rows.
        labels: What it should say.

    Returns:
        The best candidate and its model.
    """
    tried = []
    with progress("searching parameters", len(candidates)) as advance:
        for candidate in candidates:
            model, said = try_one(candidate)
            tried.append((float(f1_score(labels, said, average="macro")), candidate, model))
            advance(1)
    _, best, model = max(tried, key=itemgetter(0))
    return best, model
