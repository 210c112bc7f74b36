"""Scoring many texts with the scorer that serves, on all processors."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from joblib import cpu_count  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bento.scorer import Scorer

_CHUNK = 64


def score(
    scorer: Scorer, texts: Sequence[str], advance: Callable[[int], object] = lambda _: None
) -> NDArray[np.float32]:
    """Score texts, in whatever order is quickest.

    Args:
        scorer: With one thread, as each of several has texts of its own.
        texts: Any number.
        advance: Is told how many were scored just now.

    Returns:
        Probabilities [texts, labels].

    Raises:
        GraphError: See `bento.scorer.Scorer.score`.
    """
    # Sorted before it is cut, so that a chunk holds texts of one length and little padding.
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
    chunks = [order[start : start + _CHUNK] for start in range(0, len(order), _CHUNK)]
    scores = np.empty((len(texts), len(scorer.labels)), np.float32)
    with ThreadPoolExecutor(cpu_count()) as pool:
        scored = pool.map(lambda chunk: scorer.predict([texts[row] for row in chunk]), chunks)
        for chunk, found in zip(chunks, scored, strict=True):
            scores[chunk] = found
            advance(len(chunk))
    return scores
