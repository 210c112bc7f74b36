"""From which confidence on a prediction is certain: of those, a promised share is right.

What is promised is selective: it holds among the predictions that are certain, which are the ones somebody
relies on. The usual split-conformal quantile promises less, a coverage over all texts, which the easy ones
pay for: a set of one sentiment may then be wrong more often than promised.

The threshold is found as in Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test: Calibrating
Predictive Algorithms to Achieve Risk Control", 2021: thresholds are tested on held-out rows against the
hypothesis that more of their predictions are wrong than promised, by the exact binomial tail, which is right
for any number of rows and any model. From each of three starts they are tested downwards until one fails
(fixed-sequence testing), and the starts share the chance of an error. So the promise is kept, on texts like
these rows, in at least 19 of 20 trainings. Starts are shares of the rows, since models differ in how high
their confidence gets (one that learnt from smoothed labels stays below 0.95, however sure it is).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr  # scipy.stats has it too, but takes a second to import

from bento.package import Certainty

_STARTS = (10, 25, 50)  # per cent of the rows, the most confident; fewer of a thousand would prove little
_DIGITS = 4  # of a threshold
_BROKEN = 0.05  # of trainings, in which the promise may not be kept


def find_certainty(
    scores: NDArray[np.float32], labels: Sequence[str], truth: Sequence[str], promise: float
) -> Certainty:
    """Return the lowest threshold that keeps a promise; none where no threshold surely does.

    Args:
        scores: Probabilities of rows that the model did not learn from, as it is served [rows, labels].
        labels: What the columns mean.
        truth: The label of each row.
        promise: The share of certain predictions that is to be right.
    """
    confidence = scores.max(axis=1)
    wrong = np.array(labels)[scores.argmax(axis=1)] != np.array(truth)
    ordered = np.sort(confidence)[::-1]
    found: float | None = None
    for start in _STARTS:
        for share in range(start, 101):
            threshold = _round_down(ordered[max(1, len(ordered) * share // 100) - 1])
            certain = confidence >= threshold
            chance = bdtr((wrong & certain).sum(), certain.sum(), 1 - promise)
            if chance > _BROKEN / len(_STARTS):
                break
            found = min(threshold, found or threshold)
    if found is None:
        return Certainty(promise=promise)
    return Certainty(threshold=found, promise=promise, share=float((confidence >= found).mean()))


def _round_down(confidence: float) -> float:
    return float(math.floor(confidence * 10**_DIGITS) / 10**_DIGITS)
