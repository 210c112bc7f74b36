"""Small raw files, and the stages run on them as `dvc repro` does, all below one folder."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from training.params import Data
from training.prepare import STAGES
from training.records import StageReport
from training.stages.stage import open_context, perform

Row = tuple[Any, ...]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of all that the stages leave; each run replaces what the one before it left."""
    return tmp_path / "data"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write a CSV file and return where it is."""

    def write(rows: Iterable[Row], *, name: str = "reviews.csv", header: Row = ("text", "label")) -> str:
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        return str(tmp_path / name)

    return write


@pytest.fixture
def run_stages(root: Path) -> Callable[..., StageReport]:
    """Run all stages up to one and return its report."""

    def run(last: str, path: str, **params: object) -> StageReport:
        data = Data.model_validate({"path": path, "validation_share": 0.1, "test_share": 0.1} | params)
        with open_context(data, root) as context:
            for stage in STAGES:
                report = perform(stage, context)
                if report.stage == last:
                    return report
        raise AssertionError(f"no stage {last}")

    return run


@pytest.fixture
def left(root: Path) -> Callable[..., list[Row]]:
    """Return the rows that a stage left, sorted."""

    def read(folder: str, *columns: str) -> list[Row]:
        table = pq.read_table(root / folder, columns=list(columns))
        return sorted(zip(*(table[name].to_pylist() for name in columns), strict=True), key=str)

    return read
