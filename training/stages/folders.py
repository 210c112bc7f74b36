"""Where the stages leave what they make, whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.records import ARTIFACTS
from training.whole import failures_named, sync

DATA = ARTIFACTS / "data"

INGESTED = Path("bronze")
CLEANED = Path("silver") / "cleaned"
VALIDATED = Path("silver") / "validated"
QUARANTINE = Path("quarantine")
FLAGGED = Path("silver") / "flagged"
PARTS = Path("silver") / "parts"
SOURCES = Path("silver") / "sources"
REPORTS = Path("reports")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that takes the place of `folder` when all is written, and safely on disk.

    When something fails or somebody interrupts it, what was there before is left.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    part.mkdir(parents=True)
    try:
        with failures_named(folder):
            yield part
            for file in filter(Path.is_file, part.rglob("*")):
                sync(file)
            sync(part)
            shutil.rmtree(folder, ignore_errors=True)
            part.replace(folder)
            sync(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def new_scratch(root: Path) -> Iterator[Path]:
    """Give an empty folder for what nobody keeps, on the disk that everything else goes to."""
    scratch = root / ".scratch"
    shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
