"""Reading labelled texts: CSV, gzipped CSV, parquet, or a folder of these."""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from training.errors import InputError
from training.rows import RawRow

COLUMNS = ("text", "label")

_FIELD_LIMIT = 10_000_000  # characters; csv's own limit of 131,072 would refuse a long article


def read(path: Path) -> list[RawRow]:
    """Read every row of a file, or of all the files in a folder, as it stands.

    An empty cell is null; the words "null", "NA" and "nan" are texts like any other.

    Args:
        path: A `.csv`, `.csv.gz` or `.parquet` file with the columns text and label (others are ignored), or
            a folder that holds such files.

    Raises:
        InputError: There is nothing to read, or it cannot be read; the message says where and why.
    """
    return [row for file in files_of(path) for row in _reader(file)(file)]


def files_of(path: Path) -> list[Path]:
    """Return the files that `read` reads for this path, sorted by name.

    Raises:
        InputError: The path does not exist, or it is a folder without such files.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.name.endswith(tuple(_READERS)))
    if not files:
        raise InputError(f"{path}: a folder without any {', '.join(_READERS)} file; put one in")
    return files


def _reader(file: Path) -> Callable[[Path], Iterator[RawRow]]:
    for ending, reader in _READERS.items():
        if file.name.endswith(ending):
            return reader
    raise InputError(f"{file}: the name must end in one of {', '.join(_READERS)}")


def _read_csv(file: Path) -> Iterator[RawRow]:
    return _parse_csv(file, _content(file))


def _read_gzip(file: Path) -> Iterator[RawRow]:
    try:
        content = gzip.decompress(_content(file))
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{file}: not a complete gzip file ({error}); download it again") from error
    return _parse_csv(file, content)


def _read_parquet(file: Path) -> Iterator[RawRow]:
    try:
        table = pq.ParquetFile(file)
        _check_columns(file, table.schema_arrow.names)
        columns = table.read(columns=list(COLUMNS))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: cannot be read as parquet: {error}") from error
    texts, labels = (columns[name].to_pylist() for name in COLUMNS)
    for number, (text, label) in enumerate(zip(texts, labels, strict=True), start=1):
        if text is not None and not isinstance(text, str):
            raise InputError(f"{file}: the column text holds {type(text).__name__}, not text (row {number})")
        yield RawRow(text, None if label is None else str(label), file.name, number)


def _parse_csv(file: Path, content: bytes) -> Iterator[RawRow]:
    if not content.strip():
        raise InputError(f"{file}: the file is empty; a header line text,label and rows are expected")
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(io.StringIO(_decode(file, content), newline=""), strict=True)
    start = 1
    try:
        header = [name.strip() for name in next(reader)]
        _check_columns(file, header)
        text, label = (header.index(name) for name in COLUMNS)
        start = reader.line_num + 1
        for fields in reader:
            if len(fields) > len(header):
                raise InputError(
                    f"{file}: line {start} has {len(fields)} fields, the header {len(header)}; "
                    'a text with a comma in it must stand in "double quotes"'
                )
            if fields:  # an empty line is no row
                fields += [""] * (len(header) - len(fields))
                yield RawRow(fields[text] or None, fields[label] or None, file.name, start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{file}: the row that begins in line {start} is not CSV: {error}; "
            'a double quote inside a quoted text is written twice ("")'
        ) from error


def _check_columns(file: Path, found: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        names = ", ".join(repr(name) for name in found[:20])
        hint = "; columns must be separated by commas" if len(found) == 1 and ";" in found[0] else ""
        raise InputError(
            f"{file}: no column {' and no column '.join(missing)}; the columns there are {names}{hint}. "
            "The header line must name text and label"
        )


def _decode(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        coding = "UTF-16" if utf16 else "WINDOWS-1252"
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{file}: not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}, line {line}. "
            f"Save it as UTF-8, for example: iconv -f {coding} -t UTF-8 OLD > NEW"
        ) from error


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error


_READERS: dict[str, Callable[[Path], Iterator[RawRow]]] = {
    ".csv": _read_csv,
    ".csv.gz": _read_gzip,
    ".parquet": _read_parquet,
}
