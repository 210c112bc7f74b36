"""`python -m bento.build` as it is run, with a model store of its own."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bento.package import MODEL_NAME, Package, read_package

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 120

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bentoml")


@pytest.fixture(scope="module")
def run(home: Path) -> Run:
    """Run a module of Python's, its output not being a terminal and without a network."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VALENCE_")}
    environment = clean | {
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "true",
        "ALL_PROXY": "http://127.0.0.1:9",
        "VALENCE_REGISTRY": f"sqlite:///{home}/none.db",
        "NO_COLOR": "1",
    }

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )

    return run


@pytest.fixture(scope="module")
def package(package_dir: Path) -> Package:
    return read_package(package_dir)


@pytest.fixture(scope="module")
def told(run: Run, package: Package) -> dict[str, str | None]:
    """What a first build of the package says of itself."""
    done = run("bento.build", "--model", str(package.path))
    assert done.returncode == 0, done.stderr
    said: dict[str, str | None] = json.loads(done.stdout)
    return said


def bento_folder(home: Path, told: dict[str, str | None]) -> Path:
    return home / "bentos" / str(told["bento"]).replace(":", "/")


def stored_model(package: Package) -> str:
    return f"{MODEL_NAME}:{package.digest.removeprefix('sha256:')[:16]}"


def test_says_what_was_built_of_what(told: dict[str, str | None], package: Package) -> None:
    assert told == {
        "bento": told["bento"],
        "model": MODEL_NAME,
        "version": None,
        "digest": package.digest,
    }
    assert str(told["bento"]).startswith(f"valence:{package.digest.removeprefix('sha256:')[:16]}-")


def test_the_same_package_and_code_are_built_once(
    run: Run, home: Path, told: dict[str, str | None], package: Package
) -> None:
    written = bento_folder(home, told) / "bento.yaml"
    before = written.stat()
    again = run("bento.build", "--model", str(package.path))
    assert json.loads(again.stdout) == told
    assert (written.stat().st_ino, written.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_bento_references_the_model(home: Path, told: dict[str, str | None], package: Package) -> None:
    info = yaml.safe_load((bento_folder(home, told) / "bento.yaml").read_text())
    assert [model["tag"] for model in info["services"][0]["models"]] == [stored_model(package)]


def test_an_export_carries_the_very_package(
    run: Run, told: dict[str, str | None], package: Package, tmp_path: Path
) -> None:
    exported = tmp_path / "valence.bento"
    done = run("bentoml", "export", str(told["bento"]), str(exported))
    assert done.returncode == 0, done.stderr
    with tarfile.open(exported) as archive:
        manifests = [name for name in archive.getnames() if name.endswith("/manifest.json")]
        assert len(manifests) == 1
        file = archive.extractfile(manifests[0])
        assert file is not None
        assert file.read() == (package.path / "manifest.json").read_bytes()


def test_a_damaged_copy_in_the_store_is_refused_with_the_remedy(
    run: Run, home: Path, make_package: Callable[..., Package], tmp_path: Path
) -> None:
    package = make_package(tmp_path / "package", extra_words=["damaged"])
    first = run("bento.build", "--model", str(package.path))
    assert first.returncode == 0, first.stderr
    stored = home / "models" / stored_model(package).replace(":", "/")
    graph = next(stored.rglob("model.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1])
    refused = run("bento.build", "--model", str(package.path))
    assert_refused(refused, f"'bentoml models delete {stored_model(package)}'")
    told = json.loads(first.stdout)
    for remedy in (["delete", told["bento"]], ["models", "delete", stored_model(package)]):
        done = run("bentoml", *remedy, "--yes")
        assert done.returncode == 0, done.stderr
    assert json.loads(run("bento.build", "--model", str(package.path)).stdout) == told


def test_another_digest_than_the_required_is_refused(run: Run, package: Package) -> None:
    refused = run("bento.build", "--model", str(package.path), VALENCE_MODEL_DIGEST=f"sha256:{'0' * 64}")
    assert_refused(refused, "not the required sha256:0000")


@pytest.mark.parametrize(
    ("model", "reason"),
    [("nowhere", "nowhere: no model package there"), ("models:/x@production", "'make train' makes one")],
)
def test_an_unknown_model_is_refused(run: Run, model: str, reason: str) -> None:
    assert_refused(run("bento.build", "--model", model), reason)


def assert_refused(done: subprocess.CompletedProcess[str], reason: str) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bento.build: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
