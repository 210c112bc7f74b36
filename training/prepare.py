"""All data stages in one go, and the names by which their outcome is known."""

from pathlib import Path

from training.params import Data
from training.records import DataReport, StageReport
from training.stages import folders
from training.stages.clean import clean
from training.stages.flag import flag
from training.stages.ingest import ingest
from training.stages.split import split
from training.stages.stage import open_context, perform
from training.stages.validate import validate

DATA = folders.DATA / folders.PARTS
REPORT = DATA / "report.json"

STAGES = (ingest, clean, validate, flag, split)


def prepare(data: Data, root: Path) -> tuple[list[StageReport], DataReport]:
    """Run all stages, as `dvc repro` does one by one.

    Args:
        data: What to read and how.
        root: The folder for everything that the stages leave; `folders.PARTS` in it is the outcome.

    Raises:
        InputError: The data cannot be used.
    """
    with open_context(data, root) as context:
        reports = [perform(stage, context) for stage in STAGES]
    return reports, DataReport.load(root / folders.PARTS / "report.json")
