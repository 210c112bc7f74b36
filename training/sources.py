"""Where the texts of the test part come from."""

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from training.reading import place_of
from training.records import StageReport
from training.stages import folders


def test_sources() -> list[str]:
    """Return the name of the raw file that each text of the test part comes from."""
    ingested = StageReport.load(folders.DATA / folders.REPORTS / "ingest.json")
    names = [name for files in ingested.counts.values() for name in files]  # in the order of their numbers
    rows = pq.read_table(folders.DATA / folders.SOURCES)["row_id"].to_pylist()
    return [names[place_of(row)[0]] for row in rows]
