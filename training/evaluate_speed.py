"""What a model package costs to run, through the very scorer that serves, on one thread."""

import time
from collections.abc import Sequence

import numpy as np

from bento.scorer import Scorer
from training.records import Record

_ALONE = 200
_TOGETHER = 500
_WARM_UP = 10


class Speed(Record):
    """Milliseconds for a lone text (tokenised and scored), and texts a second when there are many."""

    median_ms: float
    p95_ms: float
    texts_per_s: float


def measure_speed(scorer: Scorer, texts: Sequence[str]) -> Speed:
    """Time the scorer on some of these texts; on a busy machine the figures are worse than the model.

    Args:
        scorer: With one thread.
        texts: At least one.
    """
    alone = [texts[number % len(texts)] for number in range(_WARM_UP + _ALONE)]
    times = []
    for text in alone:
        start = time.perf_counter()
        scorer.score([scorer.encode(text)])
        times.append(time.perf_counter() - start)
    median, p95 = np.percentile(times[_WARM_UP:], [50, 95]) * 1e3
    together = [texts[number % len(texts)] for number in range(_TOGETHER)]
    start = time.perf_counter()
    scorer.predict(together)
    rate = _TOGETHER / (time.perf_counter() - start)
    return Speed(median_ms=float(median), p95_ms=float(p95), texts_per_s=float(rate))
