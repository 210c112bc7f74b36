"""Texts as tokens, and batches of them that hold little padding."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer

from training.rows import Rows

# Batches whose texts are sorted by length together: enough to save padding, few enough to stay random.
_POOL = 32
_COVERED = 0.99  # of the texts are read whole
_STEP = 8  # tokens


@dataclass(frozen=True)
class Encoded:
    """Texts as token ids, and the number of the label of each."""

    ids: list[list[int]]
    truth: torch.Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def lengths(self) -> list[int]:
        """Return the number of tokens of each text."""
        return [len(ids) for ids in self.ids]


def encode(tokenizer: Tokenizer, rows: Rows, labels: tuple[str, ...]) -> Encoded:
    """Return rows as the model reads them."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(rows.texts)]
    return Encoded(ids, torch.tensor([labels.index(label) for label in rows.labels]))


def fitting_length(lengths: Sequence[int], most: int) -> int:
    """Return how many tokens to read so that nearly all texts are read whole, at most `most`."""
    wanted = int(np.quantile(lengths, _COVERED, method="higher"))
    return min(most, max(_STEP, -(-wanted // _STEP) * _STEP))


def batches(lengths: Sequence[int], size: int, shuffler: random.Random) -> Iterator[list[int]]:
    """Yield every row once, in batches of similar lengths and in random order."""
    rows = list(range(len(lengths)))
    shuffler.shuffle(rows)
    found = []
    for start in range(0, len(rows), _POOL * size):
        pool = sorted(rows[start : start + _POOL * size], key=lengths.__getitem__)
        found += [pool[first : first + size] for first in range(0, len(pool), size)]
    shuffler.shuffle(found)
    yield from found
