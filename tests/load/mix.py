"""What is asked: unique texts, short and long and in batches, the same for the same seed."""

import csv
import json
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

BATCH = "batch"

_CORPUS = Path(__file__).resolve().parents[2] / "training" / "corpus"
_WORD = re.compile(r"[a-z]+")
_SHORT_WORDS = 14, 0.6  # median and spread of a log-normal distribution: about 20 tokens
_LONG_WORDS = 120, 0.5
_BATCH_TEXTS = 6, 0.6
_MOST_WORDS = 400
_MOST_TEXTS = 32
_SHARES = {"short text": 0.80, "long text": 0.12, BATCH: 0.08}
_IMPATIENT_SHARE = 0.1
_PATIENCE_MS = 1000


@dataclass(frozen=True)
class Question:
    """One request.

    Attributes:
        kind: Its line in the report.
        texts: What is asked; more than one goes to `/predict/batch`.
        timeout_ms: How long the caller waits, if that is said.
    """

    kind: str
    texts: Sequence[str]
    timeout_ms: int | None

    @property
    def path(self) -> str:
        """Where it goes."""
        return "/predict" if len(self.texts) == 1 else "/predict/batch"

    @property
    def body(self) -> str:
        """What is sent."""
        asked = {"text": self.texts[0]} if len(self.texts) == 1 else {"texts": self.texts}
        return json.dumps(asked)

    @property
    def headers(self) -> dict[str, str]:
        """What is sent before it."""
        deadline = {} if self.timeout_ms is None else {"x-request-timeout-ms": str(self.timeout_ms)}
        return {"content-type": "application/json"} | deadline


def read_words() -> list[str]:
    """Return the words of the embedded corpus, each as often as it occurs."""
    words: list[str] = []
    for path in sorted(_CORPUS.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                words.extend(_WORD.findall(row["text"].lower()))
    return words


def ask(words: Sequence[str], seed: int) -> Iterator[Question]:
    """Yield questions for ever; no text comes twice, so no cache can help.

    Args:
        words: What texts are made of, each as often as it is to occur.
        seed: The same gives the same questions.
    """
    rng = random.Random(seed)
    texts = _Texts(words, rng)
    while True:
        (kind,) = rng.choices(list(_SHARES), list(_SHARES.values()))
        length = _LONG_WORDS if kind == "long text" else _SHORT_WORDS
        count = _draw(rng, _BATCH_TEXTS, 2, _MOST_TEXTS) if kind == BATCH else 1
        timeout_ms = _PATIENCE_MS if rng.random() < _IMPATIENT_SHARE else None
        yield Question(kind, [texts.make(length) for _ in range(count)], timeout_ms)


class _Texts:
    """Makes texts that differ in their first two words at least: these count."""

    def __init__(self, words: Sequence[str], rng: random.Random) -> None:
        self._words = words
        self._digits = sorted(set(words))
        rng.shuffle(self._digits)
        self._rng = rng
        self._made = 0

    def make(self, length: tuple[float, float]) -> str:
        high, low = divmod(self._made, len(self._digits))
        self._made += 1
        count = [self._digits[low], self._digits[high % len(self._digits)]]
        more = _draw(self._rng, length, 2, _MOST_WORDS) - len(count)
        return " ".join([*count, *self._rng.choices(self._words, k=more)])


def _draw(rng: random.Random, distribution: tuple[float, float], least: int, most: int) -> int:
    median, spread = distribution
    return max(least, min(most, round(rng.lognormvariate(math.log(median), spread))))
