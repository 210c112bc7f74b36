"""Commands of training in processes of their own, which may be killed, or find the disk full.

They are forked from one process that has imported the large libraries: a command spends seconds on that, and
often no more than a moment on what it does.
"""

import os
import resource
import runpy
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import forkserver, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest

LARGE = [
    "duckdb",
    "imblearn",
    "mlflow",
    "onnxruntime",
    "pyarrow.parquet",
    "scipy.special",
    "sklearn.feature_extraction.text",
    "sklearn.metrics",
    "torch",
    "transformers.models.bert.modeling_bert",
]
FEW_BYTES = 2_000  # fewer than any stage writes into one file
WITHIN_S = 300  # a guard against a command that hangs
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "MLFLOW_"))},
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "PYTHONPATH": str(Path(__file__).parents[2]),
}
APART = get_context("forkserver")


@dataclass(frozen=True)
class Ran:
    """What became of a command; its code is negative when a signal ended it."""

    returncode: int
    stdout: str
    stderr: str


def run(
    folder: Path,
    words: list[str],
    environment: dict[str, str] | None = None,
    first: Callable[[], object] | None = None,
) -> Ran:
    """Run `python -m WORDS` in a folder, with more in its environment, after a function of some module."""
    _get_ready()
    with TemporaryDirectory() as told:
        arguments = (folder, words, ENVIRONMENT | (environment or {}), first, Path(told))
        process = APART.Process(target=_run, args=arguments)
        process.start()
        process.join(WITHIN_S)
        code = process.exitcode
        assert code is not None, f"{words} took more than {WITHIN_S} s"
        process.close()
        return Ran(code, *((Path(told) / name).read_text() for name in ("stdout", "stderr")))


def stop_at(number: signal.Signals, times: int, way: str = "replace") -> None:
    """End the process when it is about to put what it wrote in its place in this way, for the nth time."""
    replace, count = getattr(Path, way), 0

    def last(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == times:
            signal.raise_signal(number)
        return cast("Path", replace(self, target))

    setattr(Path, way, last)


def fill_disk() -> None:
    """Let no file have more than a few bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FEW_BYTES, FEW_BYTES))


def _get_ready() -> None:
    """Start the process that commands are forked from, with what libraries read while they are imported."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - ENVIRONMENT.keys():
            patch.delenv(name)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        APART.set_forkserver_preload(LARGE)
        forkserver.ensure_running()


def _be_project() -> None:
    """Be in the project, where runs are kept: modules that are imported later take it from here."""
    from training import project

    project.PROJECT = Path.cwd()


def _run(
    folder: Path,
    words: list[str],
    environment: dict[str, str],
    first: Callable[[], object] | None,
    told: Path,
) -> None:
    for stream, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(told / name, os.O_CREAT | os.O_WRONLY), stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    _be_project()
    if first:
        first()
    sys.argv = list(words)
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
