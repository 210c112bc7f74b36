"""The few statistics that the tables need."""

import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

_BLOCKS = 20
_T = 2.101  # the 97.5% point of Student's t with 18 degrees of freedom, two fewer than blocks


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share does not exceed; NaN of nothing.

    Args:
        ordered: Values, ascending.
        share: Above 0, at most 1.
    """
    if not ordered:
        return math.nan
    return ordered[math.ceil(share * len(ordered)) - 1]


def median(values: Iterable[float]) -> float:
    """Return the median of the values that are numbers; NaN of none."""
    numbers = [value for value in values if not math.isnan(value)]
    return statistics.median(numbers) if numbers else math.nan


def slope(values: Sequence[float]) -> tuple[float, float]:
    """Fit a line through evenly spaced values, and say how sure its slope is.

    Neighbours resemble one another, so the line goes through the means of 20 blocks, which hardly do; else
    the interval would be far too narrow.

    Args:
        values: At least 40.

    Returns:
        The slope for one step, and half the width of its 95% confidence interval.

    Raises:
        ValueError: There are fewer.
    """
    if len(values) < 2 * _BLOCKS:
        raise ValueError(f"{len(values)} values, at least {2 * _BLOCKS} are needed for a slope")
    blocks = np.array_split(np.asarray(values, float), _BLOCKS)
    means = np.array([block.mean() for block in blocks])
    ends = np.cumsum([len(block) for block in blocks])
    x = ends - np.array([len(block) for block in blocks]) / 2
    x -= x.mean()
    fitted = float(x @ means / (x @ x))
    rest = means - means.mean() - fitted * x
    error = math.sqrt(float(rest @ rest) / (_BLOCKS - 2) / float(x @ x))
    return fitted, _T * error
