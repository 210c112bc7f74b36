"""All texts of a part through the scorer that serves, on every processor, with the time left."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from joblib import cpu_count  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bento.scorer import Scorer
from training.progress import progress

_CHUNK = 64


def score_texts(scorer: Scorer, texts: Sequence[str], what: str) -> NDArray[np.float32]:
    """Score texts of which there may be many.

    Args:
        scorer: With one thread, as chunks of texts run side by side.
        texts: At least one.
        what: Which they are, for the line that shows how far it is.

    Returns:
        Probabilities [texts, labels], in the order of the texts.
    """
    # Sorted before it is cut, so that a chunk holds texts of one length and little padding.
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
    chunks = [order[start : start + _CHUNK] for start in range(0, len(order), _CHUNK)]
    scores = np.empty((len(texts), len(scorer.labels)), np.float32)
    with (
        progress(f"scoring {len(texts)} {what}", len(texts)) as advance,
        ThreadPoolExecutor(cpu_count()) as pool,
    ):
        scored = pool.map(lambda chunk: scorer.predict([texts[row] for row in chunk]), chunks)
        for chunk, found in zip(chunks, scored, strict=True):
            scores[chunk] = found
            advance(len(chunk))
    return scores
