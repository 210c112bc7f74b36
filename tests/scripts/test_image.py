"""What `make image` says when it cannot build; what it builds is in tests/image."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.image import image_tag
from tests.bento.conftest import MakePackage, make_package  # noqa: F401 - a fixture

MODEL = {"name": "valence-sentiment", "version": "3", "digest": "sha256:" + "0" * 64}
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "image.py"
REFUSING_ENGINE = """\
#!/bin/sh
[ "$1" = info ] && exit
echo "$1" >> "$0.asked"
echo no such base >&2
exit 125
"""


def make_image(
    *arguments: str, path: str, script: Path = SCRIPT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        env={"PATH": path} | variables,
        capture_output=True,
        text=True,
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


def test_a_tag_names_the_version_and_stays_while_nothing_changes() -> None:
    assert re.fullmatch("3-[0-9a-f]{8}", image_tag(MODEL, "base"))
    assert image_tag(MODEL, "base") == image_tag(dict(MODEL), "base")


def test_no_tag_is_used_for_two_models_or_two_bases() -> None:
    """Two registries may both have a version 3."""
    others = [MODEL, MODEL | {"name": "other"}, MODEL | {"digest": "sha256:" + "1" * 64}]
    tags = [image_tag(each, base) for each in others for base in ("base", "another")]
    assert len(set(tags)) == len(tags)


def test_a_base_that_cannot_be_had_is_told_before_anything_is_built(
    make_package: MakePackage,  # noqa: F811
    tmp_path: Path,
) -> None:
    package = make_package(tmp_path / "package")
    shutil.copytree(ROOT / "bento", tmp_path / "bento")  # what is taken lies in the project: here, a copy
    (tmp_path / "scripts").mkdir()
    script = Path(shutil.copy(SCRIPT, tmp_path / "scripts"))
    engine = tmp_path / "podman"
    engine.write_text(REFUSING_ENGINE)
    engine.chmod(0o755)
    done = make_image(
        "--model", str(package.path), path=str(tmp_path), script=script, VALENCE_MODEL_VERSION="3"
    )
    assert done.returncode == 125
    assert "no such base" in done.stderr
    assert (tmp_path / "podman.asked").read_text().split() == ["inspect", "pull"]
