"""CSV with a column of texts: a stream whose faults are named by line; files written whole or not at all."""

import csv
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_MAX_CELL_BYTES = 16 << 20

Row = list[str]


class InputError(Exception):
    """The file cannot be scored; the message names the place and the remedy."""


@dataclass(frozen=True)
class Table:
    """An open file.

    Attributes:
        header: As it stands in the file.
        text_column: The place of `text` in it.
        rows: The rows after it, each as wide; reading one raises `InputError` where the file is at fault.
        read_bytes: Says how much of the file was read so far.
    """

    header: Row
    text_column: int
    rows: Iterator[Row]
    read_bytes: Callable[[], int]


@contextmanager
def open_table(source: Path) -> Iterator[Table]:
    """Open UTF-8 CSV, also `.csv.gz`, with a header and a column `text`.

    Raises:
        InputError: It is not such a file.
        OSError: It cannot be read.
    """
    with source.open("rb") as raw, _reader(raw, source) as file:
        lines = _numbered_rows(file, source)
        header = _read_header(lines, source)
        yield Table(header, _names(header).index("text"), _check_rows(lines, len(header), source), raw.tell)


def refuse_columns(table: Table, added: Iterable[str], source: Path) -> None:
    """Refuse a file that has columns of these names already.

    Raises:
        InputError: It has.
    """
    names = _names(table.header)
    if taken := [name for name in added if name in names]:
        raise InputError(f"{source}: already has {', '.join(taken)}; rename or remove what is to be added")


@contextmanager
def replacing(target: Path) -> Iterator[IO[str]]:
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


def _read_header(lines: Iterator[tuple[int, Row]], source: Path) -> Row:
    header = next((row for _, row in lines if not _blank_line(row)), None)
    if header is None:
        raise InputError(f"{source}: the file is empty; a header with a column 'text' is expected")
    names = _names(header)
    if "text" not in names:
        raise InputError(f"{source}: no column 'text'; its columns are {', '.join(names)}; rename one")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{source}: column '{name}' stands there twice; rename one")
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
