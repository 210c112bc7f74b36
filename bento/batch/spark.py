"""Scoring of a Spark data frame: each worker opens the package once, and scores Arrow batches with it."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bento.package import read_package
from bento.scorer import Scorer
from bento.text import normalise

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyspark.sql import DataFrame

_DIGITS = 6  # of a score, as everywhere


def score_frame(frame: "DataFrame", package: Path, *, text: str = "text") -> "DataFrame":
    """Add `sentiment`, `confidence`, `certain` and `score_LABEL` to every row; all else stays as it is.

    Rows without text stay, and what is added to them is null. A partition's rows keep their order.

    Args:
        frame: Any data frame with a column of texts.
        package: The model package's directory, which every worker must be able to read under this path. It
            is verified here and again by each worker, so all score with the same.
        text: The column that holds the texts.

    Raises:
        PackageError: There is no package there that can be used.
        ValueError: The column is missing, or what is to be added is there already.
    """
    from pyspark.sql.types import BooleanType, DoubleType, StringType, StructField, StructType

    checked = read_package(package)
    labels = checked.manifest.labels
    added = [
        StructField("sentiment", StringType()),
        StructField("confidence", DoubleType()),
        StructField("certain", BooleanType()),
        *(StructField(f"score_{label}", DoubleType()) for label in labels),
    ]
    if text not in frame.columns:
        raise ValueError(f"no column {text!r}; the columns are {', '.join(frame.columns)}")
    taken = [field.name for field in added if field.name in frame.columns]
    if taken:
        raise ValueError(f"already has {', '.join(taken)}; rename or drop what is to be added")
    score = _mapper(str(package), checked.digest, text)
    return frame.mapInArrow(score, StructType([*frame.schema.fields, *added]))


def _mapper(
    package: str, digest: str, text: str
) -> Callable[[Iterable["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]:
    def score(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        scorer = _scorer(package, digest)
        for batch in batches:
            yield _score_batch(batch, scorer, text)

    return score


@lru_cache(maxsize=1)
def _scorer(package: str, digest: str) -> Scorer:
    """Return the worker's scorer; Spark keeps its workers, so it is opened once, not for each task."""
    scorer = Scorer(read_package(Path(package), digest))
    scorer.check()
    return scorer


def _score_batch(batch: "pa.RecordBatch", scorer: Scorer, text: str) -> "pa.RecordBatch":
    import pyarrow as pa

    texts = [value or "" for value in batch.column(text).to_pylist()]
    filled = [row for row, value in enumerate(texts) if normalise(value)]
    found = scorer.predict([texts[row] for row in filled]).astype(np.float64).round(_DIGITS)
    best = found.argmax(axis=1) if filled else np.zeros(0, np.int64)
    confidence = found[np.arange(len(filled)), best]
    columns: dict[str, tuple[Any, Any]] = {
        "sentiment": ([scorer.labels[place] for place in best], pa.string()),
        "confidence": (confidence, pa.float64()),
        "certain": (confidence >= scorer.certain_from, pa.bool_()),
        **{f"score_{label}": (found[:, place], pa.float64()) for place, label in enumerate(scorer.labels)},
    }
    arrays = [_spread(values, filled, len(texts), kind) for values, kind in columns.values()]
    return pa.RecordBatch.from_arrays([*batch.columns, *arrays], [*batch.schema.names, *columns])


def _spread(values: Any, filled: list[int], rows: int, kind: Any) -> "pa.Array":  # noqa: ANN401
    import pyarrow as pa

    all_values: list[Any] = [None] * rows
    for row, value in zip(filled, values, strict=True):
        all_values[row] = value
    return pa.array(all_values, kind)
