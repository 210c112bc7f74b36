"""What `make image` says when it cannot build; what it builds is in tests/image."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "image.py"


def make_image(*arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], env={"PATH": path}, capture_output=True, text=True
    )


def test_no_engine_names_the_remedy(tmp_path: Path) -> None:
    done = make_image(path=str(tmp_path))
    assert done.returncode == 2
    assert "no docker, podman or buildah works here. Install one" in done.stderr


def test_an_engine_that_does_not_work_is_no_engine(tmp_path: Path) -> None:
    broken = tmp_path / "docker"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert "no docker, podman or buildah works here" in make_image(path=str(tmp_path)).stderr


@pytest.mark.parametrize("model", ["models:/valence-sentiment@nobody", "/no/such/folder"])
def test_a_model_that_is_not_there_is_told_before_anything_is_built(model: str, tmp_path: Path) -> None:
    engine = tmp_path / "podman"
    engine.write_text("#!/bin/sh\n")
    engine.chmod(0o755)
    done = make_image("--model", model, path=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("make: ")
    assert "Traceback" not in done.stderr
