"""A tracking server that is down costs nothing: runs are kept here, and logged when it is back."""

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.training.test_registry import log_run
from training import kept_runs, registry, tracking
from training.errors import TrainingError


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address at which nobody answers, nor will, however often one asks."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as bound:  # and never listens, so that nobody else does either
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of the test's own, so that its kept runs are the test's own."""
    monkeypatch.setattr(kept_runs, "PROJECT", tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def kept(nobody: str, project: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """What opens while the server is down."""
    (project / ".valence").mkdir(parents=True)
    shutil.copy(empty_registry, project / ".valence" / "kept_runs.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", nobody)
    return kept_runs.open_client()


@pytest.fixture
def come_back(
    tmp_path: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], MlflowClient]:
    """Let a registry answer where training looks for one."""
    shutil.copy(empty_registry, tmp_path / "back.db")

    def open_it() -> MlflowClient:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'back.db'}")
        return tracking.open_client()

    return open_it


def test_a_run_is_kept_and_the_command_that_logs_it_is_named(
    nobody: str,
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", nobody)
    kept = kept_runs.open_client()
    told = capsys.readouterr().out
    assert f"MLflow does not answer at {nobody}" in told
    assert f"kept in {project}/.valence/kept_runs.db" in told
    assert "-m training.kept_runs" in told
    result = log_run(kept, tmp_path, "sha256:kept")
    run_id = kept_runs.id_at(kept, result.run_id)
    assert run_id == result.run_id
    assert kept.get_run(run_id).data.metrics["validation_macro_f1"] == 0.6


def test_when_the_server_is_back_the_run_is_logged_once_and_can_be_registered(
    kept: MlflowClient, tmp_path: Path, come_back: Callable[[], MlflowClient]
) -> None:
    result = log_run(kept, tmp_path, "sha256:kept")
    tracking.log_evaluation(
        kept, result.run_id, {"test_ece": 0.1}, [tmp_path / "confusion.png"], "evaluation"
    )
    client = come_back()
    logged = kept_runs.log_all(client)
    assert kept_runs.log_all(client) == {}
    run_id = logged[result.run_id]
    assert kept_runs.id_at(client, result.run_id) == run_id
    before, run = kept.get_run(result.run_id).data, client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == before.metrics
    assert run.data.params == before.params
    assert run.data.tags["kept_as"] == result.run_id
    registration = registry.register(client, result.model_copy(update={"run_id": run_id}))
    package = registry.download(client, registration.version, "package", tmp_path / "fetched")
    assert (package / "manifest.json").read_text() == "sha256:kept"
    assert client.list_artifacts(run_id, "evaluation")


def test_a_run_that_another_server_has_is_logged_at_this_one(
    kept: MlflowClient, tmp_path: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = log_run(kept, tmp_path, "sha256:twice")
    for name in ("one", "other"):
        shutil.copy(empty_registry, tmp_path / f"{name}.db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/{name}.db")
        client = tracking.open_client()
        assert kept_runs.id_at(client, result.run_id) == result.run_id  # still the one that is kept
        run_id = kept_runs.log_all(client)[result.run_id]
        assert kept_runs.id_at(client, result.run_id) == run_id
        assert set(client.get_run(run_id).data.tags) & {"logged_as", "logged_at"} == set()


def test_a_run_that_failed_is_not_logged(kept: MlflowClient, come_back: Callable[[], MlflowClient]) -> None:
    with pytest.raises(ZeroDivisionError), tracking.new_run(kept, "svm", "reviews"):
        raise ZeroDivisionError
    assert kept_runs.log_all(come_back()) == {}


def test_without_kept_runs_nothing_is_made(project: Path, come_back: Callable[[], MlflowClient]) -> None:
    assert kept_runs.log_all(come_back()) == {}
    assert not project.exists()


def test_a_local_database_that_cannot_be_opened_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(TrainingError, match="MLflow does not answer"):
        kept_runs.open_client()
