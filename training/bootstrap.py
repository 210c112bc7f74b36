"""95% intervals: of a share Wilson's, of all else by bootstrap over rows, all resamples at once.

Rows that fall into one cell of a table of counts are alike, so drawing rows is drawing how many fall into
each cell: one multinomial draw makes a resample, however many rows there are (Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993; percentile intervals).
"""

import math

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 5000
_Z = 1.959964  # of the normal distribution, at 97.5%

Estimate = tuple[float, float, float]  # the value, and the ends of its interval


def estimates(confusion: NDArray[np.int64]) -> dict[str, Estimate]:
    """Return accuracy and the macro averages of precision, recall and F1.

    Args:
        confusion: Rows counted by label and sentiment [labels, labels].
    """
    tables = _draw(confusion)
    right = np.einsum("tii->ti", tables)
    said, meant = tables.sum(axis=1), tables.sum(axis=2)
    found = {
        "accuracy": right.sum(axis=1) / tables.sum(axis=(1, 2)),
        "macro_precision": (right / np.maximum(said, 1)).mean(axis=1),
        "macro_recall": (right / np.maximum(meant, 1)).mean(axis=1),
        "macro_f1": _macro_f1(tables),
    }
    return {name: _estimate(values) for name, values in found.items()}


def share(right: int, rows: int) -> Estimate:
    """Return the share of rows that are right, with Wilson's interval.

    No bootstrap here: where all of three rows are right they are so in every resample, and its interval would
    have no width (Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927).

    Args:
        right: How many are.
        rows: Of how many, at least one.
    """
    found, spread = right / rows, _Z**2 / rows
    middle = found + spread / 2
    half = _Z * math.sqrt(found * (1 - found) / rows + spread / (4 * rows))
    lower, upper = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return found, min(max(lower, 0.0), found), max(min(upper, 1.0), found)


def macro_f1_change(
    truth: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64]
) -> Estimate:
    """Return the change in macro-F1 (paired: the same rows are drawn for both).

    Args:
        truth: The class of each row, numbered from 0.
        before: What was said of each row.
        after: What is said now.
    """
    classes = int(max(truth.max(), before.max(), after.max())) + 1
    cells = np.ravel_multi_index((truth, before, after), (classes,) * 3)
    tables = _draw(np.bincount(cells, minlength=classes**3)).reshape(-1, classes, classes, classes)
    return _estimate(_macro_f1(tables.sum(axis=2)) - _macro_f1(tables.sum(axis=3)))


def accuracy_change(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Estimate:
    """Return the change in accuracy (paired), from whether each row was right before and is now."""
    gained, lost = int((~before & after).sum()), int((before & ~after).sum())
    tables = _draw(np.array([gained, lost, len(before) - gained - lost]))
    return _estimate((tables[:, 0] - tables[:, 1]) / len(before))


def _draw(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the table of counts itself, and then as many drawn from it."""
    flat = counts.reshape(-1)
    rows = int(flat.sum())
    drawn = np.random.default_rng(0).multinomial(rows, flat / rows, _RESAMPLES)
    return np.concatenate([flat[None], drawn]).reshape(-1, *counts.shape)


def _estimate(values: NDArray[np.float64]) -> Estimate:
    lower, upper = np.percentile(values[1:], [2.5, 97.5])
    return float(values[0]), float(lower), float(upper)


def _macro_f1(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    right = np.einsum("tii->ti", confusion)
    either = confusion.sum(axis=1) + confusion.sum(axis=2)
    return np.asarray((2 * right / np.maximum(either, 1)).mean(axis=1))
