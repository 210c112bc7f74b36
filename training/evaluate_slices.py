"""Slices: kinds of texts on which a model may do worse than the average shows."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_SHORT, _LONG = 5, 25  # words

# Words that turn what follows around, with or without the apostrophe that some people leave out.
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|without|hardly|cannot)\b|n['\u2019]t\b"
    r"|\b(?:dont|doesnt|didnt|isnt|wasnt|cant|wont|couldnt|wouldnt)\b",
    re.IGNORECASE,
)
_EMOJI = re.compile("[\u2600-\u27bf\u2b50\U0001f300-\U0001faff]")


def slices(texts: Sequence[str], sources: Sequence[str]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the name of each slice and which rows are in it; those that are empty or hold all are left out.

    Args:
        texts: Normalised.
        sources: Where each comes from.
    """
    words = np.array([len(text.split()) for text in texts])
    found = {
        f"up to {_SHORT} words": words <= _SHORT,
        f"{_SHORT + 1} to {_LONG} words": (words > _SHORT) & (words <= _LONG),
        f"over {_LONG} words": words > _LONG,
        "with a negation": _matches(_NEGATION, texts),
        "without a negation": ~_matches(_NEGATION, texts),
        "with emoji": _matches(_EMOJI, texts),
    }
    names = np.array(sources)
    found |= {f"source {name}": names == name for name in sorted(set(sources))}
    for name, inside in found.items():
        if inside.any() and not inside.all():
            yield name, inside


def _matches(pattern: re.Pattern[str], texts: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([pattern.search(text) is not None for text in texts], bool)
