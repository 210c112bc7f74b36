"""DuckDB: in this process, in memory that does not grow with the rows; what does not fit goes to disk."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
from duckdb.func import ARROW, SPECIAL
from duckdb.sqltypes import BIGINT, VARCHAR

from training.engines import check_there
from training.engines.functions import FUNCTIONS
from training.errors import TrainingError
from training.reading import SCHEMA, RawFile, read_batches

_MAX_THREADS = 8  # the functions in Python share one interpreter; more threads would only take memory
_MEMORY_PER_THREAD_MB = 256
_ROW_GROUP = 50_000  # rows that a writing thread holds at a time
_TYPES = {"string": VARCHAR, "int64": BIGINT}


@contextmanager
def open_duckdb(scratch: Path) -> Iterator["DuckDB"]:
    """Open a database in memory that spills into `scratch`, and close it afterwards."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = min(cpus, _MAX_THREADS)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": str(threads),
        "memory_limit": f"{_MEMORY_PER_THREAD_MB * threads}MB",
        "temp_directory": str(scratch),
        "autoinstall_known_extensions": "false",  # nothing is downloaded behind anyone's back
        "autoload_known_extensions": "false",
        "preserve_insertion_order": "false",  # nobody relies on it, and keeping it costs memory
    }
    connection = duckdb.connect(config=settings)
    try:
        for name, (function, returns) in FUNCTIONS.items():
            connection.create_function(
                name,
                _on_arrays(function),
                [VARCHAR],
                _TYPES[returns],
                type=ARROW,
                null_handling=SPECIAL,  # the functions know nulls
            )
        yield DuckDB(connection)
    finally:
        connection.close()


class DuckDB:
    """`training.engines.Engine` on DuckDB."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._failure: BaseException | None = None

    def read(self, view: str, files: Sequence[RawFile]) -> None:
        """See `Engine`."""
        reader = pa.RecordBatchReader.from_batches(SCHEMA, self._batches(files))
        self._connection.register(view, reader)

    def open(self, view: str, folder: Path) -> None:
        """See `Engine`."""
        check_there(folder)
        pattern = str(folder / "*.parquet").replace("'", "''")
        self.define(view, f"SELECT * FROM read_parquet('{pattern}')")  # noqa: S608

    def define(self, view: str, query: str) -> None:
        """See `Engine`."""
        self._run(f"CREATE OR REPLACE TEMP VIEW {view} AS\n{query}")

    def table(self, view: str, columns: Mapping[str, Sequence[Any]], *, types: Mapping[str, str]) -> None:
        """See `Engine`."""
        schema = pa.schema([(name, pa.type_for_alias(types[name])) for name in columns])
        self._connection.register(f"_{view}", pa.table(dict(columns), schema=schema))
        # A table of DuckDB's own, so that its few values are known to the optimiser.
        self._run(f"CREATE OR REPLACE TEMP TABLE {view} AS SELECT * FROM _{view}")  # noqa: S608
        self._connection.unregister(f"_{view}")

    def rows(self, query: str) -> list[dict[str, Any]]:
        """See `Engine`."""
        answer = self._run(query)
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def write(self, query: str, folder: Path) -> None:
        """See `Engine`."""
        target = str(folder / "part-0.parquet").replace("'", "''")
        self._run(
            f"COPY (\n{query}\n) TO '{target}' "
            f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {_ROW_GROUP})"
        )

    def _run(self, statement: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(statement)
        except duckdb.Error as error:
            if self._failure is not None:  # DuckDB tells only that its source failed
                raise self._failure from None
            told = " ".join(str(error).split())
            if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException):
                told += ". If the disk is full, free some space and run this again: nothing half is left"
            raise TrainingError(f"DuckDB: {told}") from error
        except RuntimeError as error:
            if str(error) == "Query interrupted":  # how DuckDB passes on Ctrl-C
                raise KeyboardInterrupt from None
            raise

    def _batches(self, files: Sequence[RawFile]) -> Iterator[pa.RecordBatch]:
        try:
            for file in files:
                yield from read_batches(file)
        except BaseException as error:
            self._failure = error
            raise


def _on_arrays(function: Callable[[pa.Array], pa.Array]) -> Callable[[pa.ChunkedArray], pa.Array]:
    return lambda texts: function(texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts)
