"""Files that hold all of what was written, or what they held before."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a file to write that takes the place of `path` when all is written, and safely on disk.

    When something fails or somebody interrupts it, what was there before is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with failures_named(path):
            yield part
            sync(part)
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def failures_named(path: Path) -> Iterator[None]:
    """Let what fails in the block name this path, where it names none, as a write to a full disk does not."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is safely on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
