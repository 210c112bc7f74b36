"""Spark: for data that outgrows one machine, on the cluster that its own configuration names, or locally."""

import os
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa  # type: ignore[import-untyped]
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it

from training.engines import check_there
from training.engines.functions import FUNCTIONS
from training.errors import InputError, TrainingError
from training.project import PROJECT
from training.reading import RawFile, read_batches

_TYPES = {"string": "string", "int64": "bigint"}
_RAW = "origin string, row_id bigint, text string, label string, rating string"
_ROW_GROUP_BYTES = 16 * 2**20  # the least that one task reads, so that one file keeps several busy
_INPUT_ERROR = re.compile(r"^training\.errors\.InputError: (.*)$", re.MULTILINE)

# Where no cluster is configured. The driver talks to itself alone, so it listens to nobody else.
_LOCAL = {
    "spark.master": "local[*]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.sql.shuffle.partitions": "16",
    "spark.sql.files.maxPartitionBytes": str(_ROW_GROUP_BYTES),
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@contextmanager
def open_spark(scratch: Path) -> Iterator["Spark"]:
    """Start a session, and stop it afterwards.

    Without a master in Spark's own configuration (`spark-submit`, `SPARK_CONF_DIR`), it runs on this machine.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # or workers run what `python3` happens to be
    session = _start(scratch)
    try:
        session.sparkContext.setLogLevel("OFF")  # what fails is told by the exception
        session.sparkContext.addPyFile(str(_pack_code(scratch / "valence.zip")))
        with warnings.catch_warnings():
            # No pandas is involved: what the functions get and return is Arrow.
            warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
            for name, (function, returns) in FUNCTIONS.items():
                session.udf.register(name, F.arrow_udf(function, _TYPES[returns]))
            yield Spark(session)
    finally:
        session.stop()


class Spark:
    """`training.engines.Engine` on Spark."""

    def __init__(self, session: SparkSession) -> None:
        self._session = session

    def read(self, view: str, files: Sequence[RawFile]) -> None:
        """See `Engine`; each file is read by one task, so many files are read side by side."""
        numbers = self._session.createDataFrame(pa.table({"number": range(len(files))}))
        tasks = numbers.repartitionByRange(len(files), "number")
        tasks.mapInArrow(_reader(tuple(files)), _RAW).createOrReplaceTempView(view)

    def open(self, view: str, folder: Path) -> None:
        """See `Engine`."""
        check_there(folder)
        self._session.read.parquet(str(folder.absolute())).createOrReplaceTempView(view)

    def define(self, view: str, query: str) -> None:
        """See `Engine`."""
        self._session.sql(query).createOrReplaceTempView(view)

    def table(self, view: str, columns: Mapping[str, Sequence[Any]], *, types: Mapping[str, str]) -> None:
        """See `Engine`."""
        schema = pa.schema([(name, pa.type_for_alias(types[name])) for name in columns])
        self._session.createDataFrame(pa.table(dict(columns), schema=schema)).createOrReplaceTempView(view)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """See `Engine`."""
        try:
            return [row.asDict() for row in self._session.sql(query).collect()]
        except (PySparkException, Py4JError) as error:
            _explain(error)

    def write(self, query: str, folder: Path) -> None:
        """See `Engine`."""
        try:
            writer = self._session.sql(query).write.mode("append").option("compression", "zstd")
            writer = writer.option("parquet.compression.codec.zstd.level", "1")
            writer.option("parquet.block.size", _ROW_GROUP_BYTES).parquet(str(folder.absolute()))
        except (PySparkException, Py4JError) as error:
            _explain(error)


def _start(scratch: Path) -> SparkSession:
    builder = SparkSession.builder.appName("valence-data").config("spark.local.dir", str(scratch.absolute()))
    configured = any(
        name in os.environ for name in ("SPARK_CONF_DIR", "SPARK_HOME", "MASTER", "SPARK_REMOTE")
    )
    if not configured:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        for name, value in _LOCAL.items():
            builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except PySparkException as error:
        raise TrainingError(
            f"Spark does not start: {error}. It needs Java 17 or newer (JAVA_HOME)"
        ) from error


def _reader(files: tuple[RawFile, ...]) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def read(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column("number").to_pylist():
                yield from read_batches(files[number])

    return read


def _pack_code(path: Path) -> Path:
    """Write the modules that workers run, as they need not have this checkout."""
    with zipfile.ZipFile(path, "w") as archive:
        for folder in ("bento", "training"):
            for file in (PROJECT / folder).rglob("*.py"):
                archive.write(file, file.relative_to(PROJECT))
    return path


def _explain(error: Exception) -> NoReturn:
    """Tell a person's mistake that a worker met from everything else."""
    found = _INPUT_ERROR.search(str(error))
    if found:
        raise InputError(found[1]) from error
    raise TrainingError(f"Spark: {error}") from error
