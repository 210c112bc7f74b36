"""Rows of labelled text, as models are trained on them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bento.package import LABELS


@dataclass(frozen=True)
class Rows:
    """Texts, normalised, and the label of each."""

    texts: list[str]
    labels: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def count(self) -> dict[str, int]:
        """Return the number of rows of each label that occurs, in the order of `bento.package.LABELS`."""
        return {label: count for label in LABELS if (count := self.labels.count(label))}

    def take(self, places: Sequence[int]) -> "Rows":
        """Return the rows at these places."""
        return Rows([self.texts[place] for place in places], [self.labels[place] for place in places])

    def sha256(self) -> str:
        """Return a hash of the content that depends on no file format."""
        digest = hashlib.sha256()
        for row in zip(self.texts, self.labels, strict=True):
            digest.update(json.dumps(row).encode() + b"\n")
        return digest.hexdigest()

    @classmethod
    def read(cls, path: Path) -> "Rows":
        """Read a part that the data stages left, in its order."""
        table = pq.read_table(path, columns=["text", "label"])
        return cls(table["text"].to_pylist(), table["label"].to_pylist())
