"""What `bentoml build` puts into a Bento; it needs no network, as everything is locked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODEL = "valence-sentiment:tiny"
IMPORT = """
import bentoml, shutil, sys
from bento.store import PACKAGE_FOLDER
with bentoml.models.create(sys.argv[1]) as model:
    shutil.copytree(sys.argv[2], f"{model.path}/{PACKAGE_FOLDER}")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, package_dir: Path) -> Path:
    home = tmp_path_factory.mktemp("bentoml")
    nowhere = "http://127.0.0.1:9"  # a proxy that refuses
    environment = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true", "ALL_PROXY": nowhere}
    for arguments in (
        ["-c", IMPORT, MODEL, str(package_dir)],
        ["-m", "bentoml", "build", "--version", "tested", "--arg", f"model={MODEL}"],
    ):
        subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            check=True,
            capture_output=True,
            timeout=120,
        )
    return home / "bentos" / "valence" / "tested"


def test_it_holds_what_serving_needs_and_nothing_else(built: Path) -> None:
    source = built / "src"
    files = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    modules = {f"bento/{path.name}" for path in (ROOT / "bento").glob("*.py")}
    static = {f"bento/static/{path.name}" for path in (ROOT / "bento/static").iterdir()}
    assert files == modules - {"bento/build.py"} | static | {"bentofile.yaml"}


def test_it_references_the_model_and_remembers_the_argument(built: Path) -> None:
    info = yaml.safe_load((built / "bento.yaml").read_text())
    assert [model["tag"] for model in info["services"][0]["models"]] == [MODEL]
    assert info["args"] == {"model": MODEL}


def test_its_requirements_are_the_locked_ones(built: Path) -> None:
    locked = (ROOT / "requirements/serve.txt").read_text()
    installed = (built / "env/python/requirements.txt").read_text()
    assert pins(locked) == pins(installed)
    assert installed.count("--hash=") == locked.count("--hash=")


def pins(requirements: str) -> set[str]:
    return {line.split()[0].rstrip(";") for line in requirements.splitlines() if "==" in line}
