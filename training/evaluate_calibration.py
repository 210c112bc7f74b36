"""Whether confidence means what it says, on rows that nothing was fitted to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bento.package import Certainty
from training.bootstrap import share
from training.records import Record

_BINS = 10


class Bin(Record):
    """Rows of similar confidence: how sure the model was on average, and how often it was right."""

    rows: int
    confidence: float
    right: float


class Calibration(Record):
    """`ece` is the expected calibration error: how far the two are apart, averaged over the rows.

    Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015; ten
    bins of equal width, empty ones left out.
    """

    ece: float
    bins: tuple[Bin, ...]


class Certain(Record):
    """What became of the promise: of `rows` that are certain a share is right, with its 95% interval."""

    promise: float
    threshold: float | None
    rows: int
    share: float
    right: float | None
    right_lower: float | None
    right_upper: float | None


def calibration(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> Calibration:
    """Compare confidence with how often it is right.

    Args:
        confidence: Of each row.
        right: Whether the sentiment was the label.
    """
    places = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    bins = [
        Bin(
            rows=int(inside.sum()),
            confidence=float(confidence[inside].mean(dtype=np.float64)),
            right=float(right[inside].mean()),
        )
        for place in range(_BINS)
        if (inside := places == place).any()
    ]
    error = sum(one.rows * abs(one.confidence - one.right) for one in bins) / len(confidence)
    return Calibration(ece=float(error), bins=tuple(bins))


def keeping_of(certainty: Certainty, certain: Sequence[bool], right: NDArray[np.bool_]) -> Certain:
    """Tell whether what a package promises of its certain predictions holds."""
    chosen = right[np.array(certain, bool)]
    rates = share(int(chosen.sum()), len(chosen)) if len(chosen) else (None, None, None)
    return Certain(
        promise=certainty.promise,
        threshold=certainty.threshold,
        rows=len(chosen),
        share=len(chosen) / len(right),
        right=rates[0],
        right_lower=rates[1],
        right_upper=rates[2],
    )
