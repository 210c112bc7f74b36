"""The formats of raw files: CSV, JSON lines and Parquet, each read strictly and in batches.

A batch is the places of some rows (lines of CSV and JSON, rows of Parquet, from 1) and a column of values for
each field. One strict reader for both engines, whose own were tried: with ragged rows allowed, DuckDB takes a
quote that stays open for one row up to the end of the file, and Spark cuts the fields that are too many, both
without a word.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from training.decoding import open_lines
from training.errors import InputError
from training.storage import open_file

FIELDS = ("text", "label", "rating")

Columns = Mapping[str, str]  # field to the name of its column in the file
Batch = tuple[Sequence[int], list[list[str | None]]]

_SURROGATE = re.compile("[\ud800-\udfff]")
_FIELD_LIMIT = 10_000_000  # characters; csv's own limit of 131,072 would refuse a long article
_BATCH_ROWS = 20_000


def reader_of(location: str) -> Callable[[str, Columns], Iterator[Batch]]:
    """Return what reads the files of this name's ending.

    Raises:
        InputError: There is no reader for it.
    """
    for ending, reader in _READERS.items():
        if location.endswith(ending):
            return reader
    raise InputError(f"{location}: the name must end in one of {', '.join(ENDINGS)}")


def _read_csv(location: str, columns: Columns) -> Iterator[Batch]:
    csv.field_size_limit(_FIELD_LIMIT)
    with open_lines(location) as lines:
        reader = csv.reader(lines, strict=True)
        end = 1
        try:
            header = [name.strip() for name in next(reader, [])]
            if not header:
                named = ",".join(columns.values())
                raise InputError(
                    f"{location}: the file is empty; a header line {named} and rows are expected"
                )
            _check_columns(location, columns, header)
            at = [header.index(columns[field]) if field in columns else None for field in FIELDS]
            rows: list[list[str]] = []
            places: list[int] = []
            end = reader.line_num
            for fields in reader:
                if len(fields) != len(header):
                    fields = _complete(location, fields, header, end + 1)
                if fields:  # an empty line is no row
                    rows.append(fields)
                    places.append(end + 1)
                    if len(rows) == _BATCH_ROWS:
                        yield places, [_column(rows, index) for index in at]
                        rows, places = [], []
                end = reader.line_num
            yield places, [_column(rows, index) for index in at]
        except csv.Error as error:
            raise InputError(
                f"{location}: the row that begins in line {end + 1} is not CSV: {error}; "
                'a double quote inside a quoted text is written twice ("")'
            ) from error


def _complete(location: str, fields: list[str], header: list[str], line: int) -> list[str]:
    if len(fields) > len(header):
        raise InputError(
            f"{location}: line {line} has {len(fields)} fields, the header {len(header)}; "
            'a text with a comma in it must stand in "double quotes"'
        )
    return fields and fields + [""] * (len(header) - len(fields))


def _column(rows: list[list[str]], index: int | None) -> list[str | None]:
    return [None] * len(rows) if index is None else [row[index] or None for row in rows]


def _read_json(location: str, columns: Columns) -> Iterator[Batch]:
    places: list[int] = []
    values: list[list[str | None]] = [[] for _ in FIELDS]
    empty = True
    with open_lines(location) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            row = _json_object(location, line, number)
            if empty:
                _check_columns(location, columns, list(row))
                empty = False
            places.append(number)
            for field, column in zip(FIELDS, values, strict=True):
                column.append(_word(location, columns, field, row.get(columns.get(field, "")), number))
            if len(places) == _BATCH_ROWS:
                yield places, values
                places, values = [], [[] for _ in FIELDS]
    if empty:
        raise InputError(f"{location}: the file is empty; a JSON object in each line is expected")
    yield places, values


def _json_object(location: str, line: str, number: int) -> dict[str, object]:
    try:
        row = json.loads(line.rstrip())
    except json.JSONDecodeError as error:
        raise InputError(
            f"{location}: line {number} is not JSON: {error.msg} at column {error.colno}"
        ) from error
    except RecursionError as error:
        raise InputError(f"{location}: line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise InputError(f"{location}: line {number} is no JSON object; one in each line is expected")
    return row


def _read_parquet(location: str, columns: Columns) -> Iterator[Batch]:
    first = 1
    try:
        with open_file(location) as content:
            table = pq.ParquetFile(content)
            _check_columns(location, columns, table.schema_arrow.names)
            for batch in table.iter_batches(_BATCH_ROWS, columns=list(columns.values())):
                places = range(first, first + len(batch))
                yield (
                    places,
                    [
                        [
                            _word(location, columns, field, value, place)
                            for place, value in zip(
                                places, batch.column(columns[field]).to_pylist(), strict=True
                            )
                        ]
                        if field in columns
                        else [None] * len(batch)
                        for field in FIELDS
                    ],
                )
                first += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{location}: cannot be read as parquet: {error}") from error


def _word(location: str, columns: Columns, field: str, value: object, place: int) -> str | None:
    """Return a value as CSV would hold it: a number as Python writes it, nothing for what is no number."""
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)  # JSON can spell half a character
    if field == "text" or isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(
            f"{location}: the column {columns[field]} holds {type(value).__name__}, not text (row {place})"
        )
    return str(value)


def _check_columns(location: str, columns: Columns, found: Sequence[str]) -> None:
    for name in columns.values():
        if found.count(name) > 1:
            raise InputError(
                f"{location}: the column {name} stands there {found.count(name)} times; rename one"
            )
    missing = [name for name in columns.values() if name not in found]
    if missing:
        names = ", ".join(repr(name) for name in found[:20])
        hint = "; columns must be separated by commas" if len(found) == 1 and ";" in found[0] else ""
        raise InputError(
            f"{location}: no column {' and no column '.join(missing)}; the columns there are {names}{hint}. "
            "Rename them, or name yours: --text, --label, --rating (with make TEXT=, LABEL=, RATING=; for "
            "dvc repro data.columns in params.yaml)"
        )


_READERS: dict[str, Callable[[str, Columns], Iterator[Batch]]] = {
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".jsonl": _read_json,
    ".jsonl.gz": _read_json,
    ".parquet": _read_parquet,
}
ENDINGS = tuple(_READERS)
