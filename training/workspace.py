"""Where `dvc repro` runs: the project itself, or a workspace of its own for a data set that someone brings.

A workspace is a small DVC project below `.valence/datasets/`: the project's `dvc.yaml` and parameters, with
the data set in place of the embedded corpus. No tracked file is touched, and the same data set finds its
workspace again, so nothing is trained twice.
"""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from training.errors import TrainingError
from training.formats import ENDINGS
from training.params import PARAMS, Columns, Data, read_params
from training.project import PROJECT
from training.storage import absolute, data_name, files_at, is_remote, open_file
from training.tracking import tracking_uri

_NO_GIT = "[core]\n    no_scm = true\n"
_DVC_CONFIG = (PROJECT / ".dvc" / "config", Path(".dvc") / "config")


def make_workspace(data: Data) -> Path:
    """Make the workspace of a data set, or bring the one it has up to date with the project.

    Args:
        data: Where the texts are, as a person named them.

    Returns:
        The directory.
    """
    params = read_params(PROJECT / PARAMS)
    params["project"] = str(PROJECT)
    params["data"] |= {
        "path": absolute(data.path),
        "test": absolute(data.test) if data.test else None,
        "columns": data.columns.model_dump(),
    }
    recipe = params["train"]["transformer"]
    recipe["pretrain"] = [
        location if is_remote(location) else str((PROJECT / location).resolve())
        for location in recipe["pretrain"]
    ]
    if (PROJECT / recipe["base"]).is_dir():
        recipe["base"] = str((PROJECT / recipe["base"]).resolve())
    # Letters that mean something to YAML templates or shells stay out of the name.
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", data_name(data.path))[:40].strip("-") or "data"
    directory = PROJECT / ".valence" / "datasets" / f"{name}-{_hash(data)[:12]}"
    source, target = _DVC_CONFIG
    for path, content in (
        (directory / target, source.read_text(encoding="utf-8")),
        (directory / "dvc.yaml", (PROJECT / "dvc.yaml").read_text(encoding="utf-8")),
        (directory / PARAMS, yaml.safe_dump(params, sort_keys=False, allow_unicode=True)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return directory


def reproduce(directory: Path, *, force: bool = False) -> None:
    """Run `dvc repro` in a directory; what it prints is seen at once.

    Args:
        directory: The project or a workspace.
        force: Run every stage, changed or not.

    Raises:
        TrainingError: A stage failed; it said why.
    """
    if not (directory / ".git").exists():
        # A workspace, or code that came without its history: DVC must be told not to look for one.
        (directory / _DVC_CONFIG[1]).with_name("config.local").write_text(_NO_GIT, encoding="utf-8")
    environment = os.environ | {
        # The stages call `python`: let it be this one, also where nobody activated the environment.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "MLFLOW_TRACKING_URI": tracking_uri(),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-m", "training.repro", *(["--force"] if force else [])]
    code = subprocess.run(  # noqa: S603 - the words are ours
        command, cwd=directory, env=environment, check=False
    ).returncode
    if code:
        raise TrainingError(f"`dvc repro` failed in {directory}; the message above says why")


def _hash(data: Data) -> str:
    digest = hashlib.sha256()
    for source in filter(None, (data.path, data.test)):
        for file in files_at(source, ENDINGS):
            with open_file(file) as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())  # type: ignore[arg-type]
        digest.update(b"|")
    if data.columns != Columns():
        digest.update(data.columns.model_dump_json().encode())
    return digest.hexdigest()
