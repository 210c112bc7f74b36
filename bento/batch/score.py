"""Scoring of a CSV file as a stream: memory stays flat however long the file is."""

import csv
import gzip
import io
import os
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from bento.scorer import Scorer
from bento.text import normalise

_CHUNK_ROWS = 1024
_MAX_CELL_BYTES = 16 << 20

Row = list[str]


class InputError(Exception):
    """The file cannot be scored; the message names the place and the remedy."""


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
        InputError: `source` is not such a file, or there is no writing to `target`.
        OSError: A file cannot be read or written; `target` is as it was.
    """
    _check_target(target, source)
    added = ["sentiment", "confidence", "certain", *(f"score_{label}" for label in scorer.labels)]
    rows = unscored = 0
    with ExitStack() as stack:
        raw = stack.enter_context(source.open("rb"))
        lines = _numbered_rows(stack.enter_context(_reader(raw, source)), source)
        header = _read_header(lines, added, source)
        text_column = _names(header).index("text")
        writer = csv.writer(stack.enter_context(_replacing(target)), lineterminator="\n")
        writer.writerow(header + added)

        def score_chunk(chunk: list[Row]) -> list[Row]:
            return _score_rows(chunk, text_column, scorer)

        checked = _check_rows(lines, len(header), source)
        with (
            ThreadPoolExecutor(workers) as pool,
            closing(_in_order(pool, score_chunk, _chunks(checked), workers * 2)) as chunks,
        ):
            for scored in chunks:
                for row in scored:
                    rows += 1
                    unscored += not row[len(header)]
                    writer.writerow(row)
                on_progress(raw.tell(), rows)
    return Report(rows, unscored)


def _check_target(target: Path, source: Path) -> None:
    if target.is_dir():
        raise InputError(f"{target}: is a folder; name a file in it")
    if target.exists() and target.samefile(source):
        raise InputError(f"{target}: would overwrite the file that is read; name another output file")


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


@contextmanager
def _replacing(target: Path) -> Iterator[IO[str]]:
    """Open a file that takes the target's place when all went well, and leaves no trace when not."""
    staging = target.with_name(f".{target.name}.{os.getpid()}.partial")
    opener = gzip.open if target.suffix == ".gz" else open
    try:
        opened = opener(staging, "xt", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.strerror}); name a file in a folder that is there and "
            "can be written to"
        ) from error
    try:
        with opened as file:
            yield file
        with staging.open("rb+") as written:
            os.fsync(written.fileno())
        staging.replace(target)
    finally:
        staging.unlink(missing_ok=True)


def _reader(raw: IO[bytes], source: Path) -> IO[str]:
    stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if source.suffix == ".gz" else raw  # type: ignore[assignment]
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _numbered_rows(file: IO[str], source: Path) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(_MAX_CELL_BYTES)
    reader = csv.reader(file, strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source}: not UTF-8 near line {reader.line_num + 1} ({error.reason}); convert it, "
            f"for example with: iconv -f latin1 -t utf-8 {source.name}"
        ) from error
    except (csv.Error, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{source}: not readable as CSV near line {reader.line_num + 1}: {error}") from error


def _read_header(lines: Iterator[tuple[int, Row]], added: Iterable[str], source: Path) -> Row:
    header = next((row for _, row in lines if not _blank_line(row)), None)
    if header is None:
        raise InputError(f"{source}: the file is empty; a header with a column 'text' is expected")
    names = _names(header)
    if "text" not in names:
        raise InputError(f"{source}: no column 'text'; its columns are {', '.join(names)}; rename one")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{source}: column '{name}' stands there twice; rename one")
    taken = [name for name in added if name in names]
    if taken:
        raise InputError(f"{source}: already has {', '.join(taken)}; rename or remove what is to be added")
    return header


def _names(header: Row) -> list[str]:
    return [name.strip() for name in header]


def _blank_line(row: Row) -> bool:
    return len(row) <= 1 and not "".join(row).strip()


def _check_rows(lines: Iterator[tuple[int, Row]], width: int, source: Path) -> Iterator[Row]:
    for number, row in lines:
        if width == 1 and not row:
            row = [""]  # a blank line is how CSV writes an empty cell that stands alone
        elif width > 1 and _blank_line(row):
            continue
        if len(row) != width:
            raise InputError(
                f"{source}: line {number} has {len(row)} cells where the header has {width}; "
                "put cells with commas or line ends between double quotes"
            )
        yield row


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
