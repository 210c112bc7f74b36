"""Reading raw rows as they stand: CSV, JSON lines or Parquet, on disk or in S3, in batches.

One strict reader for both engines. Their own were tried: DuckDB takes an open quote for the end of the file and
Spark cuts fields that are too many, both without a word.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from training.errors import InputError
from training.storage import name_of_file, open_file

SCHEMA = pa.schema(
    [
        ("origin", pa.string()),  # `data` or `test`
        ("row_id", pa.int64()),  # see `place_of`
        ("text", pa.string()),
        ("label", pa.string()),
        ("rating", pa.string()),
    ]
)
FIELDS = ("text", "label", "rating")
FILE_STEP = 2**40  # a row's id is the number of its file times this, and its place there

_FIELD_LIMIT = 10_000_000  # characters; csv's own limit of 131,072 would refuse a long article
_BATCH_ROWS = 20_000

_Row = list[str | None]


@dataclass(frozen=True)
class RawFile:
    """A file to read: where it is, its number among all files, and the column that each field stands in."""

    location: str
    number: int
    origin: str
    columns: Mapping[str, str]


def read_batches(file: RawFile) -> Iterator[pa.RecordBatch]:
    """Read every row of a file as it stands, in batches of `SCHEMA`.

    An empty cell is null; the words "null", "NA" and "nan" are texts like any other. A field without a column
    is null in every row. Numbers and booleans become words, as JSON writes them.

    Raises:
        InputError: The file cannot be read, or a column is missing; the message says where and why.
    """
    columns: list[_Row] = [[] for _ in FIELDS]
    ids: list[int] = []
    for place, row in _reader_of(file.location)(file):
        ids.append(file.number * FILE_STEP + place)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        if len(ids) == _BATCH_ROWS:
            yield _batch(file, ids, columns)
            ids, columns = [], [[] for _ in FIELDS]
    if ids:
        yield _batch(file, ids, columns)


def place_of(row_id: int) -> tuple[int, int]:
    """Return a row's file number and its place there: the line of a CSV or JSON file, the row of Parquet."""
    return divmod(row_id, FILE_STEP)


def _batch(file: RawFile, ids: list[int], columns: list[_Row]) -> pa.RecordBatch:
    origins = pa.repeat(pa.scalar(file.origin, pa.string()), len(ids))
    return pa.record_batch(
        [origins, pa.array(ids), *(pa.array(column, pa.string()) for column in columns)], SCHEMA
    )


def _reader_of(location: str) -> Callable[[RawFile], Iterator[tuple[int, _Row]]]:
    for ending, reader in _READERS.items():
        if location.endswith(ending):
            return reader
    raise InputError(f"{location}: the name must end in one of {', '.join(_READERS)}")


def _read_csv(file: RawFile) -> Iterator[tuple[int, _Row]]:
    csv.field_size_limit(_FIELD_LIMIT)
    with _open_text(file) as content:
        reader = csv.reader(content, strict=True)
        start = 1
        try:
            header = [name.strip() for name in next(reader, [])]
            if not header:
                raise InputError(
                    f"{file.location}: the file is empty; a header line {_named(file, ',')} and rows are expected"
                )
            _check_columns(file, header)
            wanted = [
                header.index(file.columns[field]) if field in file.columns else None for field in FIELDS
            ]
            start = reader.line_num + 1
            for fields in reader:
                if len(fields) != len(header):
                    if not fields:  # an empty line is no row
                        start = reader.line_num + 1
                        continue
                    if len(fields) > len(header):
                        raise InputError(
                            f"{file.location}: line {start} has {len(fields)} fields, the header {len(header)}; "
                            'a text with a comma in it must stand in "double quotes"'
                        )
                    fields += [""] * (len(header) - len(fields))
                yield start, [None if at is None else fields[at] or None for at in wanted]
                start = reader.line_num + 1
        except csv.Error as error:
            raise InputError(
                f"{file.location}: the row that begins in line {start} is not CSV: {error}; "
                'a double quote inside a quoted text is written twice ("")'
            ) from error


def _read_json(file: RawFile) -> Iterator[tuple[int, _Row]]:
    seen = False
    with _open_text(file) as content:
        for number, line in enumerate(content, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{file.location}: line {number} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise InputError(
                    f"{file.location}: line {number} is no JSON object; one in each line is expected"
                )
            if not seen:
                _check_columns(file, list(row))
                seen = True
            yield (
                number,
                [_word(file, field, row.get(file.columns.get(field, "")), number) for field in FIELDS],
            )
    if not seen:
        raise InputError(f"{file.location}: the file is empty; a JSON object in each line is expected")


def _read_parquet(file: RawFile) -> Iterator[tuple[int, _Row]]:
    place = 0
    try:
        with open_file(file.location) as content:
            table = pq.ParquetFile(content)
            _check_columns(file, table.schema_arrow.names)
            for batch in table.iter_batches(_BATCH_ROWS, columns=list(file.columns.values())):
                nothing = [None] * len(batch)
                values = [
                    batch.column(file.columns[field]).to_pylist() if field in file.columns else nothing
                    for field in FIELDS
                ]
                for row in zip(*values, strict=True):
                    place += 1
                    yield (
                        place,
                        [_word(file, *pair, place) for pair in zip(FIELDS, row, strict=True)],
                    )
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file.location}: cannot be read as parquet: {error}") from error


def _word(file: RawFile, field: str, value: object, place: int) -> str | None:
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, str):
        return value
    if field == "text" or not isinstance(value, int | float):
        raise InputError(
            f"{file.location}: the column {file.columns[field]} holds {type(value).__name__}, not text (row {place})"
        )
    return str(value)


def _check_columns(file: RawFile, found: list[str]) -> None:
    missing = [name for name in file.columns.values() if name not in found]
    if missing:
        names = ", ".join(repr(name) for name in found[:20])
        hint = "; columns must be separated by commas" if len(found) == 1 and ";" in found[0] else ""
        raise InputError(
            f"{file.location}: no column {' and no column '.join(missing)}; the columns there are {names}{hint}. "
            f"The file must have {_named(file, ' and ')}, or data.columns in params.yaml name its columns"
        )


def _named(file: RawFile, separator: str) -> str:
    return separator.join(file.columns.values())


class _Utf8(io.TextIOWrapper):
    """Text that says where it stops being UTF-8."""

    def __init__(self, file: RawFile, content: BinaryIO) -> None:
        super().__init__(content, encoding="utf-8-sig", newline="")
        self._file = file

    def __next__(self) -> str:
        try:
            return super().__next__()
        except UnicodeDecodeError:
            raise _not_utf8(self._file) from None
        except (EOFError, OSError, zlib.error) as error:
            raise _broken(self._file, error) from error


def _open_text(file: RawFile) -> io.TextIOWrapper:
    return _Utf8(file, _open_bytes(file))


def _open_bytes(file: RawFile) -> BinaryIO:
    content = open_file(file.location)
    return gzip.open(content) if file.location.endswith(".gz") else content  # type: ignore[return-value]


def _broken(file: RawFile, error: Exception) -> InputError:
    what = "not a complete gzip file" if file.location.endswith(".gz") else "cannot be read"
    return InputError(f"{file.location}: {what} ({error}); download it again")


def _not_utf8(file: RawFile) -> InputError:
    """Find the first byte that is not UTF-8, line by line from the beginning."""
    offset = 0
    with _open_bytes(file) as content:
        for number, line in enumerate(content, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                utf16 = offset == 0 and line[:2] in (b"\xff\xfe", b"\xfe\xff")
                return InputError(
                    f"{file.location}: not UTF-8: byte 0x{line[error.start]:02x} at offset {offset + error.start}, "
                    f"line {number}. Save it as UTF-8, for example: "
                    f"iconv -f {'UTF-16' if utf16 else 'WINDOWS-1252'} -t UTF-8 OLD > NEW"
                )
            offset += len(line)
    return InputError(f"{name_of_file(file.location)}: changed while it was read; run this again")


_READERS: dict[str, Callable[[RawFile], Iterator[tuple[int, _Row]]]] = {
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".jsonl": _read_json,
    ".jsonl.gz": _read_json,
    ".parquet": _read_parquet,
}
ENDINGS = tuple(_READERS)
