"""The texts that are sent: as many as are wanted, none twice, the same for the same seed."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bento.scorer import load_tokenizer

MEDIAN_TOKENS = 21
SIGMA = 0.6
MIN_TOKENS, MAX_TOKENS = 6, 128

CORPUS = Path(__file__).resolve().parent.parent / "training" / "corpus"
_SPECIAL_TOKENS = 2  # at the beginning and at the end
_BLOCK = 1_024


def write_words(path: Path, tokenizer: bytes) -> None:
    """Write the words of the training corpus that are one token each, so that lengths are exact.

    Args:
        path: Where the JSON list goes.
        tokenizer: The content of the package's `tokenizer.json`.
    """
    reader = load_tokenizer(tokenizer)
    words: set[str] = set()
    for file in sorted(CORPUS.glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as rows:
            for row in csv.DictReader(rows):
                words.update(re.findall(r"[a-z]{2,}", row["text"].lower()))
    whole = sorted(word for word in words if len(reader.encode(word, add_special_tokens=False)) == 1)
    path.write_text(json.dumps(whole))


def make_texts(words: Sequence[str], count: int, seed: Sequence[int]) -> list[str]:
    """Make texts whose lengths in tokens are log-normal: median 21, sigma 0.6, cut to 6 and 128.

    Args:
        words: From `write_words`.
        count: How many texts.
        seed: Another seed, other texts.

    Returns:
        Texts, no two alike.
    """
    seen: dict[str, None] = {}
    for text in _draw(words, np.random.default_rng(seed)):
        if len(seen) == count:
            break
        seen[text] = None
    return list(seen)


def _draw(words: Sequence[str], random: np.random.Generator) -> Iterator[str]:
    while True:
        tokens = random.lognormal(np.log(MEDIAN_TOKENS), SIGMA, _BLOCK).round()
        lengths = tokens.clip(MIN_TOKENS, MAX_TOKENS).astype(int) - _SPECIAL_TOKENS
        picks = iter(random.integers(0, len(words), int(lengths.sum())).tolist())
        for length in lengths.tolist():
            yield " ".join(words[next(picks)] for _ in range(length))
