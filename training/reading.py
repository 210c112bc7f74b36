"""Raw rows as both engines get them: Arrow batches of one schema, whatever the format of the file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa  # type: ignore[import-untyped]

from training.formats import FIELDS, reader_of

SCHEMA = pa.schema(
    [
        ("origin", pa.string()),
        ("row_id", pa.int64()),
        *((field, pa.string()) for field in FIELDS),
    ]
)
FILE_STEP = 2**40  # a row's id is the number of its file times this, and its place there


@dataclass(frozen=True)
class RawFile:
    """A file to read: where it is, its number among all files, and the column that each field stands in.

    `origin` is `data`, or `test` for a file that is the test part as it stands.
    """

    location: str
    number: int
    origin: str
    columns: Mapping[str, str]


def read_batches(file: RawFile) -> Iterator[pa.RecordBatch]:
    """Read every row of a file as it stands, in batches of `SCHEMA`.

    An empty cell is null; the words "null", "NA" and "nan" are texts like any other. A field without a column
    is null in every row.

    Raises:
        InputError: The file cannot be read, or a column is missing; the message says where and why.
    """
    for places, values in reader_of(file.location)(file.location, file.columns):
        origins = pa.repeat(pa.scalar(file.origin, pa.string()), len(places))
        ids = pa.array((file.number * FILE_STEP + place for place in places), pa.int64())
        columns = (pa.array(column, pa.string()) for column in values)
        yield pa.record_batch([origins, ids, *columns], SCHEMA)


def place_of(row_id: int) -> tuple[int, int]:
    """Return a row's file number and its place there: the line of a CSV or JSON file, the row of Parquet."""
    return divmod(row_id, FILE_STEP)
