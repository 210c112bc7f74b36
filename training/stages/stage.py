"""What all stages share: the SQL files, the settings they read, the count of rows, the command."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from training.engines import Engine, open_engine
from training.params import Data, read_params, section
from training.records import StageReport
from training.report import open_console, print_stage
from training.stages.folders import DATA, REPORTS, new_scratch
from training.usage import no_arguments

_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64"}


@dataclass(frozen=True)
class Context:
    """What a stage works with; `root` is the folder of all the data, `scratch` one for what nobody keeps."""

    engine: Engine
    data: Data
    root: Path
    scratch: Path


Stage = Callable[[Context], StageReport]
Counts = dict[tuple[str, ...], int]


def sql(name: str) -> str:
    """Return the content of a file of `training/sql`."""
    return resources.files("training").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def settings(context: Context, **values: Any) -> None:  # noqa: ANN401 - of four types, as they come
    """Let SQL files read these values as columns of the one row of `settings`."""
    types = {name: _TYPES[type(value)] for name, value in values.items()}
    context.engine.table("settings", {name: [value] for name, value in values.items()}, types=types)


def count(context: Context, view: str, *columns: str, where: str = "TRUE") -> Counts:
    """Count the rows of a view by the values of some columns; a null counts as an empty word."""
    names = ", ".join(columns)
    found = context.engine.rows(
        f"SELECT {names}, count(*) AS row_count FROM {view} WHERE {where} GROUP BY {names}"  # noqa: S608
    )
    return {tuple(row[column] or "" for column in columns): row["row_count"] for row in found}


def report_of(context: Context, name: str) -> StageReport:
    """Read the report that a stage left."""
    return StageReport.load(context.root / REPORTS / f"{name}.json")


def perform(stage: Stage, context: Context) -> StageReport:
    """Run a stage and leave its report."""
    report = stage(context)
    report.write(context.root / REPORTS / f"{report.stage}.json")
    return report


@contextmanager
def open_context(data: Data, root: Path) -> Iterator[Context]:
    """Start the engine for the data below `root`."""
    with new_scratch(root) as scratch, open_engine(data.engine, scratch) as engine:
        yield Context(engine, data, root, scratch)


def run_stage(stage: Stage) -> None:
    """Run a stage as DVC calls it: parameters from `params.yaml`, everything below `artifacts/data`."""
    no_arguments(f"training.stages.{stage.__name__}", stage.__doc__ or "")
    with open_context(section(read_params(), "data", Data), DATA) as context:
        report = perform(stage, context)
    print_stage(open_console(), report)
