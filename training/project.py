"""The checkout this code runs from."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def python() -> str:
    """Return what a person types in the project's directory to run this very Python."""
    executable = Path(sys.executable)
    return str(executable.relative_to(PROJECT)) if executable.is_relative_to(PROJECT) else sys.executable


def git_commit() -> str | None:
    """Return the commit of the checkout, with `-dirty` when a tracked file differs; None without git."""
    try:
        commit = _git("rev-parse", "HEAD")
        changes = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}-dirty" if changes else commit


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(  # noqa: S603 - the words are ours
        command, cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout.strip()
