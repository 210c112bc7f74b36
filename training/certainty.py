"""From which confidence on a prediction is certain: of those, a promised share is right.

What is promised is selective: it holds among the predictions that are certain, which are the ones somebody
relies on. The usual split-conformal quantile promises less, a coverage over all texts, which the easy ones
pay for: a set of one sentiment may then be wrong more often than promised.

The threshold is found as in Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test: Calibrating
Predictive Algorithms to Achieve Risk Control", 2021: each threshold of a fixed list is tested on held-out
rows against the hypothesis that more of its predictions are wrong than promised, by the exact binomial tail,
which is right for any number of rows and any model. Bonferroni's correction pays for choosing among the
thresholds. So the promise is kept, on texts like these rows, in at least 19 of 20 trainings.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom  # type: ignore[import-untyped]

from bento.package import Certainty

_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
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
    for threshold in _THRESHOLDS:
        certain = confidence >= threshold
        chance = binom.cdf((wrong & certain).sum(), certain.sum(), 1 - promise)
        if chance <= _BROKEN / len(_THRESHOLDS):
            return Certainty(threshold=threshold, promise=promise, share=float(certain.mean()))
    return Certainty(promise=promise)
