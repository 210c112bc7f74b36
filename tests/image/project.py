"""A copy of what `make image` reads, so that what it writes does not meet the user's own."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_project(folder: Path) -> Path:
    """Copy it into a new folder, which is returned."""
    for name in ("bento", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "requirements").mkdir()
    for name in ("Dockerfile", ".dockerignore", "requirements/serve.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder
