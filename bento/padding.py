"""What padding costs with a model: as much as text, or next to nothing where its graph packs the tokens."""

import time
from collections.abc import Callable, Sequence

from bento.scorer import Encoding

_LEAST = 1 / 8  # of a token: what it costs attention grows with the longest text, so it is never quite free
_LONG_TOKENS = 32
_TEXTS = 4
_TIMES = 5  # others may disturb one of them, and the quickest is what it takes


def measure_padding_cost(
    score: Callable[[Sequence[Encoding]], object],
    text: Encoding,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Time batches that differ in their tokens alone, or in their padding alone.

    Args:
        score: Scores a batch.
        text: An example; from 4 tokens on there is something to measure, from 32 on it is enough.
        clock: Tells seconds.

    Returns:
        What a token of padding costs, as a share of what a token of text costs; 1 where nobody can tell.
    """
    long_tokens = min(_LONG_TOKENS, len(text))
    short_tokens = long_tokens // 4
    if not short_tokens:
        return 1.0
    long, short = (Encoding(text.ids[:tokens], truncated=False) for tokens in (long_tokens, short_tokens))
    full = [long] * _TEXTS
    padded = [long, *[short] * (_TEXTS - 1)]
    bare = [short] * round(sum(map(len, padded)) / short_tokens)
    quickest = dict.fromkeys(("full", "padded", "bare"), float("inf"))
    for _ in range(_TIMES):
        for name, batch in (("full", full), ("padded", padded), ("bare", bare)):
            started = clock()
            score(batch)
            quickest[name] = min(quickest[name], clock() - started)
    text_s = quickest["full"] - quickest["bare"]
    padding_s = quickest["padded"] - quickest["bare"]
    return min(1.0, max(_LEAST, padding_s / text_s)) if text_s > 0 else 1.0
