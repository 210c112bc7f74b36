"""A real image of a tiny model, built once by the real command in a copy of the project."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from tests.bento.conftest import MakePackage, make_package, registry  # noqa: F401 - fixtures
from tests.image.containers import WITHIN_S, podman, try_podman
from tests.image.project import copy_project

BASE = "docker.io/library/python:3.11-slim"
NAME = "localhost/valence-test"
VERSION = "7"


@dataclass(frozen=True)
class Image:
    """What was built, of what, on what."""

    name: str
    digest: str
    commit: str
    values: dict[str, Any]
    layers: list[dict[str, Any]]

    @property
    def inspected(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(podman("inspect", self.name))[0]
        return found

    def run(self, *command: str) -> str:
        """Run a command in it instead of the server."""
        program, *arguments = command
        return podman("run", "--rm", "--network=none", "--entrypoint", program, self.name, *arguments)


@pytest.fixture(scope="session")
def image(
    tmp_path_factory: pytest.TempPathFactory,
    make_package: MakePackage,  # noqa: F811
    worker_id: str,
) -> Image:
    """The image, which is built once, by whichever of the workers comes first."""
    if shutil.which("podman") is None:
        pytest.skip("podman is missing: apt install buildah podman runc")
    if os.geteuid():
        pytest.skip("only root's podman can hold a container to its memory: sudo make test-image")
    if try_podman("image", "exists", BASE).returncode and try_podman("pull", "--quiet", BASE).returncode:
        pytest.skip(f"{BASE} cannot be pulled and there is no local one: scripts/base makes it")
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "image"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        if not (built := folder / "image.json").exists():
            package = make_package(folder / "package", run_id="0123456789abcdef")
            image = _describe(_build(folder / "project", package.path), package.digest)
            built.write_text(json.dumps(asdict(image)))
    return Image(**json.loads(built.read_text()))


def _describe(project: Path, digest: str) -> Image:
    values = yaml.safe_load((project / ".valence" / "image" / "values.yaml").read_text())
    name = f"{NAME}:{values['image']['tag']}"
    base = json.loads(podman("inspect", BASE))[0]["RootFS"]["Layers"]
    history = json.loads(podman("history", "--format", "json", name))
    layers = [each for each in history if each["size"]][: -len(base)]
    return Image(name, digest, _git(project, "rev-parse", "HEAD"), values, layers)


def _build(project: Path, package: Path) -> Path:
    copy_project(project)
    _git(project, "init", "--quiet")
    _git(
        project, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--allow-empty", "-m", "t"
    )
    wanted = ["--model", str(package), "--name", NAME, "--engine", "podman"]
    built = subprocess.run(
        [sys.executable, "-m", "scripts.image", *wanted],
        cwd=project,
        env=os.environ | {"VALENCE_MODEL_VERSION": VERSION},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return project


def _git(project: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=True)
    return done.stdout.strip()
