"""Runs, versions and aliases in a real MLflow, in a database of the test's own."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from mlflow import MlflowClient

from bento.registry import resolve
from training import registry, tracking
from training.errors import InputError, TrainingError
from training.records import MODEL_NAME, ClassScores, Evaluation, Result

SCORES = ClassScores(precision=0.5, recall=0.5, f1=0.5, rows=2)
EVALUATION = Evaluation(
    rows=4,
    accuracy=0.5,
    macro_precision=0.5,
    macro_recall=0.5,
    macro_f1=0.6,
    classes={"negative": SCORES, "positive": SCORES},
    confusion=[[1, 1], [1, 1]],
)


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def client(uri: str, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return tracking.open_client()


def log_run(client: MlflowClient, folder: Path, digest: str) -> Result:
    package = folder / "package"
    package.mkdir(parents=True)
    (package / "manifest.json").write_text(digest)
    picture = folder / "confusion.png"
    picture.write_bytes(b"picture")
    with tracking.new_run(client, "svm", "reviews") as run_id:
        result = Result(
            family="svm",
            run_id=run_id,
            digest=digest,
            data="reviews",
            data_sha256="0" * 64,
            git_commit="abc",
            params={"C": [1.0, 2.0]},
            chosen={"C": 1.0},
            train_rows=8,
            train_seconds=1.5,
            package_bytes=10,
            evaluations={"validation": EVALUATION, "test": EVALUATION},
        )
        tracking.log_result(client, result, {"C": [1.0, 2.0]}, package, picture)
    return result


def test_a_run_holds_everything_that_explains_a_model(client: MlflowClient, tmp_path: Path) -> None:
    result = log_run(client, tmp_path, "sha256:run")
    run = client.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"C": "[1.0, 2.0]", "chosen_C": "1.0"}
    assert run.data.metrics["validation_macro_f1"] == 0.6
    assert run.data.metrics["test_negative_recall"] == 0.5
    assert {"train_seconds", "package_bytes", "train_rows"} <= set(run.data.metrics)
    assert run.data.tags["git_commit"] == "abc"
    assert run.data.tags["data_sha256"] == "0" * 64
    artifacts = {
        file.path for folder in ("", "package") for file in client.list_artifacts(result.run_id, folder)
    }
    assert {"confusion.png", "package/manifest.json"} <= artifacts


def test_a_run_that_fails_says_so(client: MlflowClient) -> None:
    with pytest.raises(ZeroDivisionError), tracking.new_run(client, "svm", "reviews") as run_id:
        raise ZeroDivisionError
    assert client.get_run(run_id).info.status == "FAILED"


def test_the_same_package_is_registered_once(client: MlflowClient, tmp_path: Path) -> None:
    result = log_run(client, tmp_path, "sha256:once")
    first, again = registry.register(client, result), registry.register(client, result)
    assert first == again
    assert registry.holds(client, first)
    assert not registry.holds(client, first.model_copy(update={"version": "99"}))
    tags = client.get_model_version(MODEL_NAME, first.version).tags
    assert tags == {
        "digest": "sha256:once",
        "family": "svm",
        "data": "reviews",
        "data_sha256": "0" * 64,
        "macro_f1": "0.6000",
        "git_commit": "abc",
    }


def test_serving_finds_what_training_registered(client: MlflowClient, uri: str, tmp_path: Path) -> None:
    registration = registry.register(client, log_run(client, tmp_path, "sha256:served"))
    registry.point(client, registry.PRODUCTION, registration.version)
    found = resolve(f"models:/{MODEL_NAME}@production", uri, tmp_path)
    assert found.version == registration.version
    assert (found.path / "manifest.json").read_text() == "sha256:served"


def test_an_alias_moves_tells_how_to_go_back_and_goes_back(client: MlflowClient, tmp_path: Path) -> None:
    one = registry.register(client, log_run(client, tmp_path / "one", "sha256:one")).version
    two = registry.register(client, log_run(client, tmp_path / "two", "sha256:two")).version
    registry.point(client, registry.PRODUCTION, one)
    moved = registry.explain(registry.point(client, registry.PRODUCTION, two))
    assert moved.startswith(f"production: {one} -> {two}; back with: ")
    assert f"training.promote --to {one}" in moved
    assert (
        registry.explain(registry.point(client, registry.PRODUCTION, two))
        == f"production: {two}, nothing moved"
    )
    assert registry.point(client, registry.PRODUCTION, one).after == one
    assert registry.version_at(client, registry.PRODUCTION) == one


def test_an_unknown_version_names_those_there_are(client: MlflowClient, tmp_path: Path) -> None:
    registry.register(client, log_run(client, tmp_path, "sha256:known"))
    with pytest.raises(InputError, match=r"has no version 99; the versions are: 1"):
        registry.point(client, registry.PRODUCTION, "99")


def test_a_run_of_another_database_cannot_be_registered(client: MlflowClient, tmp_path: Path) -> None:
    result = log_run(client, tmp_path, "sha256:lost")
    lost = result.model_copy(update={"run_id": "f" * 32, "digest": "sha256:elsewhere"})
    with pytest.raises(TrainingError, match="another one than at training"):
        registry.register(client, lost)


def test_what_the_registry_refuses_is_told(
    empty_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mlflow.db"
    shutil.copy(empty_registry, path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    client = tracking.open_client()
    version = registry.register(client, log_run(client, tmp_path, "sha256:guarded")).version
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TRIGGER guard BEFORE INSERT ON registered_model_aliases "
            "BEGIN SELECT RAISE(ABORT, 'aliases are not yours to move'); END"
        )
    database.close()
    with pytest.raises(TrainingError, match=r"MLflow at sqlite.* does not do it: .*not yours to move"):
        registry.point(client, registry.PRODUCTION, version)
