"""Scoring of a CSV file as a stream: memory stays flat however long the file is."""

import csv
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bento.batch.table import InputError, Row, open_table, refuse_columns, replacing
from bento.scorer import Scorer
from bento.text import normalise

_CHUNK_ROWS = 1024


@dataclass(frozen=True)
class Report:
    """What became of the rows: `unscored` had no text left after normalisation, their new cells are empty."""

    rows: int
    unscored: int


def score_file(
    source: Path,
    target: Path,
    scorer: Scorer,
    *,
    workers: int,
    on_progress: Callable[[int, int], None] = lambda _read, _rows: None,
) -> Report:
    """Add `sentiment`, `confidence`, `certain` and `score_LABEL` columns to a CSV file.

    Args:
        source: UTF-8 CSV with a header and a `text` column; `.csv.gz` is read as well. Blank lines are rows
            without text where the file has one column, and no rows where it has more.
        target: Written whole or not at all; compressed when it ends in `.gz`.
        scorer: Loaded with one thread, as chunks of rows run side by side.
        workers: How many chunks at a time.
        on_progress: Called with the bytes of `source` that were read so far and the rows done.

    Returns:
        How many rows went through; all columns and the order of rows are kept.

    Raises:
        InputError: `source` is not such a file, or there is no writing CSV to `target`.
        OSError: A file cannot be read or written; `target` is as it was.
    """
    check_files(source, target)
    added = ["sentiment", "confidence", "certain", *(f"score_{label}" for label in scorer.labels)]
    rows = unscored = 0
    with ExitStack() as stack:
        table = stack.enter_context(open_table(source))
        refuse_columns(table, added, source)
        writer = csv.writer(stack.enter_context(replacing(target)), lineterminator="\n")
        writer.writerow(table.header + added)

        def score_chunk(chunk: list[Row]) -> list[Row]:
            return _score_rows(chunk, table.text_column, scorer)

        with (
            ThreadPoolExecutor(workers) as pool,
            closing(_in_order(pool, score_chunk, _chunks(table.rows), workers * 2)) as chunks,
        ):
            for scored in chunks:
                for row in scored:
                    rows += 1
                    unscored += not row[len(table.header)]
                    writer.writerow(row)
                on_progress(table.read_bytes(), rows)
    return Report(rows, unscored)


def check_files(source: Path, target: Path) -> None:
    """Refuse names of files that cannot be meant, before anything is read.

    Raises:
        InputError: There is no file to read, or the one to write cannot be CSV.
    """
    if not source.exists():
        raise InputError(f"{source}: no such file; name a CSV file that is there")
    if source.is_dir():
        raise InputError(f"{source}: is a folder; name a CSV file in it")
    if target.is_dir():
        raise InputError(f"{target}: is a folder; name a file in it")
    if target.exists() and target.samefile(source):
        raise InputError(f"{target}: would overwrite the file that is read; name another output file")
    if not target.name.endswith((".csv", ".csv.gz")):
        raise InputError(f"{target}: what is written is CSV; name a file that ends in .csv or .csv.gz")


def _score_rows(chunk: list[Row], text_column: int, scorer: Scorer) -> list[Row]:
    texts = [row[text_column] for row in chunk]
    filled = [index for index, text in enumerate(texts) if normalise(text)]
    scores = dict(zip(filled, scorer.predict([texts[index] for index in filled]), strict=True))
    empty = [""] * (3 + len(scorer.labels))
    return [
        row + (_cells(scores[index], scorer) if index in scores else empty) for index, row in enumerate(chunk)
    ]


def _cells(scores: NDArray[np.float32], scorer: Scorer) -> Row:
    best = int(np.argmax(scores))
    cells = [f"{score:.6f}" for score in scores]
    certain = float(cells[best]) >= scorer.certain_from  # as it is written, which is what the server compares
    return [scorer.labels[best], cells[best], str(certain).lower(), *cells]


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        yield chunk


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[list[Row]], list[Row]], chunks: Iterable[list[Row]], ahead: int
) -> Generator[list[Row], None, None]:
    """Map in the pool, in order, with at most `ahead` chunks in memory."""
    pending: deque[Future[list[Row]]] = deque()
    try:
        for chunk in chunks:
            pending.append(pool.submit(work, chunk))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:  # when the rest is not wanted any more
            future.cancel()
