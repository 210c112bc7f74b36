"""The stage `ingest`: raw files become bronze, every row as found with one label each."""

from training.engines import Engine
from training.errors import run
from training.formats import ENDINGS
from training.params import Data
from training.reading import FILE_STEP, RawFile, place_of
from training.records import StageReport
from training.stages.folders import INGESTED, new_folder
from training.stages.stage import Context, run_stage, settings, sql
from training.storage import files_at, name_of_file


def ingest(context: Context) -> StageReport:
    """Read all raw files.

    Raises:
        InputError: There is nothing to read, or it cannot be read; the message says where and why.
    """
    engine, data = context.engine, context.data
    files = raw_files(data)
    engine.read("raw", files)
    settings(context, labels_from_ratings=data.columns.label is None)
    with new_folder(context.root / INGESTED) as folder:
        engine.write(sql("ingest"), folder)
        engine.open("ingested", folder)
        counts = _rows_by_file(engine)
    read = {file.origin: 0 for file in files}
    for file in files:
        read[file.origin] += counts.get(file.number, 0)
    return StageReport(
        stage="ingest",
        read=read,
        kept=read,
        dropped={origin: {} for origin in read},
        counts={
            origin: {
                name_of_file(file.location): counts.get(file.number, 0)
                for file in files
                if file.origin == origin
            }
            for origin in read
        },
    )


def raw_files(data: Data) -> list[RawFile]:
    """Return the files to read, numbered, those of `data.path` first."""
    columns = {field: name for field, name in data.columns.model_dump().items() if name is not None}
    origins = [("data", data.path), *([("test", data.test)] if data.test else [])]
    found = [(origin, location) for origin, where in origins for location in files_at(where, ENDINGS)]
    return [RawFile(location, number, origin, columns) for number, (origin, location) in enumerate(found)]


def _rows_by_file(engine: Engine) -> dict[int, int]:
    found = engine.rows(
        f"SELECT row_id - row_id % {FILE_STEP} AS first, count(*) AS row_count "  # noqa: S608
        f"FROM ingested GROUP BY row_id - row_id % {FILE_STEP}"
    )
    return {place_of(row["first"])[0]: row["row_count"] for row in found}


if __name__ == "__main__":
    run(lambda: run_stage(ingest))
