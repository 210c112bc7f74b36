"""What the stage `embed` leaves: an embedding for each text that is learnt from or chosen by."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bento.package import TOKENIZER
from training.families.embeddings import Reader, Vectors
from training.rows import Rows
from training.stages.folders import new_folder

_ENCODER = "encoder.onnx"
_VECTORS = "vectors.parquet"
_LEAST = 25  # of a rare label: what probabilities are learnt on, in folds


class Kept:
    """Embeddings by their texts.

    Attributes:
        reader: What made them.
    """

    def __init__(self, reader: Reader, texts: Sequence[str], vectors: Vectors) -> None:
        self.reader = reader
        self._places = {text: place for place, text in enumerate(texts)}
        self._vectors = vectors

    def of(self, rows: Rows, most: int | None = None) -> tuple[Vectors, list[str]]:
        """Return the embeddings of the rows that have one, evenly picked if they are more than `most`.

        Returns:
            The embeddings [rows, numbers] and their labels.
        """
        rows = rows.take([row for row, text in enumerate(rows.texts) if text in self._places])
        if most is not None:
            rows = limit(rows, most)
        return self._vectors[[self._places[text] for text in rows.texts]], rows.labels

    def write(self, folder: Path) -> None:
        """Write everything below a folder, whole or not at all."""
        vectors = pa.FixedSizeListArray.from_arrays(self._vectors.reshape(-1), self._vectors.shape[1])
        table = pa.table({"text": list(self._places), "vector": vectors})
        with new_folder(folder) as part:
            (part / TOKENIZER).write_bytes(self.reader.tokenizer)
            (part / _ENCODER).write_bytes(self.reader.graph)
            pq.write_table(table, part / _VECTORS, compression="none", use_dictionary=False)

    @classmethod
    def read(cls, folder: Path) -> "Kept":
        """Read what `write` wrote.

        Raises:
            OSError: Nothing is there.
        """
        tokenizer, graph = ((folder / name).read_bytes() for name in (TOKENIZER, _ENCODER))
        table = pq.read_table(folder / _VECTORS).combine_chunks()
        vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
        return cls(Reader(tokenizer, graph), table["text"].to_pylist(), vectors)


def limit(rows: Rows, most: int) -> Rows:
    """Return so many rows at most: of each label an even sample by its share, of a rare one a few more."""
    if len(rows) <= most:
        return rows
    print(f"  learns from {most} of {len(rows)} rows (max_rows), evenly picked", flush=True)
    picked: list[int] = []
    for label, count in rows.count().items():
        places = [place for place, found in enumerate(rows.labels) if found == label]
        wanted = min(count, max(_LEAST, round(most * count / len(rows))))
        picked += [places[place] for place in np.linspace(0, count - 1, wanted).astype(int)]
    return rows.take(sorted(picked))
