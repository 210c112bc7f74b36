"""What runs the SQL files: DuckDB on one machine, Spark when the data outgrows it.

An engine knows views, which the SQL files read by name, and folders of Parquet, which stages leave behind.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from training.errors import InputError
from training.reading import RawFile

EngineName = Literal["duckdb", "spark"]


class Engine(Protocol):
    """The little of SQL engines that the stages need; the same calls give the same rows on each."""

    def read(self, view: str, files: Sequence[RawFile]) -> None:
        """Make a view of raw files, to be read once; its columns are those of `training.reading.SCHEMA`."""

    def open(self, view: str, folder: Path) -> None:
        """Make a view of a folder that `write` wrote."""

    def define(self, view: str, query: str) -> None:
        """Make a view of a query."""

    def table(self, view: str, columns: Mapping[str, Sequence[Any]], *, types: Mapping[str, str]) -> None:
        """Make a view of a few values, such as settings; types are `string`, `int64`, `float64`, `bool`."""

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Run a query with a small answer."""

    def write(self, query: str, folder: Path) -> None:
        """Write the answer of a query as Parquet files into a new folder."""


def check_there(folder: Path) -> None:
    """Refuse a folder that no stage has left.

    Raises:
        FileNotFoundError: There is no Parquet file in it.
    """
    if not any(folder.glob("*.parquet")):
        raise FileNotFoundError(f"{folder}: not there")


@contextmanager
def open_engine(name: EngineName, scratch: Path) -> Iterator[Engine]:
    """Start an engine and stop it afterwards.

    Args:
        name: Which one.
        scratch: A folder for what does not fit into memory, on the disk that the outputs go to.

    Raises:
        InputError: Spark is asked for and not installed.
    """
    if name == "duckdb":
        from training.engines.duckdb import open_duckdb

        with open_duckdb(scratch) as engine:
            yield engine
    else:
        try:
            from training.engines.spark import open_spark
        except ModuleNotFoundError as error:
            raise InputError(
                "params.yaml: data.engine is spark, and pyspark is not installed; install the extra, "
                "`pip install 'valence[spark]'`, and Java 17 or newer, or set it to duckdb"
            ) from error
        with open_spark(scratch) as engine:
            yield engine
