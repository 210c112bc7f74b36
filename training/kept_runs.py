"""Runs while the tracking server is down: kept on this machine, and logged when it is back.

`python -m training.kept_runs` logs them; so does the stage `register`, before it registers anything.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from training import tracking
from training.errors import TrainingError, run
from training.project import PROJECT, python
from training.records import MODEL_NAME
from training.usage import no_arguments

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_DATABASE = Path(".valence") / "kept_runs.db"
# Tags: the run's id here, on the server's run; and on the run here its id there, and which server that is.
_KEPT_AS, _LOGGED_AS, _LOGGED_AT = "kept_as", "logged_as", "logged_at"
_OWN = "mlflow."  # how the names of MLflow's own tags begin


def open_client() -> "MlflowClient":
    """Open MLflow for a new run: at `training.tracking.tracking_uri`, or here while a server does not answer.

    Raises:
        TrainingError: A database on this machine cannot be opened; that is nothing to wait for.
    """
    try:
        return tracking.open_client()
    except TrainingError as error:
        if tracking.is_local(tracking.tracking_uri()):
            raise
        print(
            f"  {error}. Until then this run is kept in {PROJECT / _DATABASE}; log it later with "
            f"`{python()} -m training.kept_runs`",
            flush=True,
        )
        return _open_kept()


def id_at(client: "MlflowClient", run_id: str) -> str:
    """Return the id that a run has at a server: its own, unless it was kept here and logged there later."""
    kept = _kept_run(run_id)
    return (kept and _logged_at(kept, client.tracking_uri)) or run_id


def log_all(client: "MlflowClient") -> dict[str, str]:
    """Log every run that is kept and was not logged there yet; one that is interrupted is logged anew.

    Args:
        client: From `training.tracking.open_client`.

    Returns:
        The id that each run has now, by the one it had here.
    """
    if not (PROJECT / _DATABASE).exists():
        return {}
    kept, logged = _open_kept(), {}
    experiment = kept.get_experiment_by_name(MODEL_NAME)
    for found in kept.search_runs([experiment.experiment_id]) if experiment else []:
        if found.info.status == "FINISHED" and not _logged_at(found, client.tracking_uri):
            logged[found.info.run_id] = _log(client, kept, found)
    return logged


def _log(client: "MlflowClient", kept: "MlflowClient", found: "Run") -> str:
    from mlflow.entities import Metric, Param, RunTag

    info, data = found.info, found.data
    left = (_LOGGED_AS, _LOGGED_AT)
    tags = {
        name: value for name, value in data.tags.items() if not name.startswith(_OWN) and name not in left
    }
    with tracking.new_run(client, tags["family"], tags["data"]) as run_id:
        client.log_batch(
            run_id,
            metrics=[Metric(name, value, info.end_time, 0) for name, value in data.metrics.items()],
            params=[Param(name, value) for name, value in data.params.items()],
            tags=[RunTag(name, value) for name, value in (tags | {_KEPT_AS: info.run_id}).items()],
        )
        with TemporaryDirectory() as folder:
            client.log_artifacts(run_id, kept.download_artifacts(info.run_id, "", folder))
    kept.set_tag(info.run_id, _LOGGED_AS, run_id)
    kept.set_tag(info.run_id, _LOGGED_AT, tracking.shown(client.tracking_uri))
    return run_id


def _logged_at(kept: "Run", uri: str) -> str | None:
    """Return the id that a kept run has at this server, None where it was not logged there."""
    return kept.data.tags.get(_LOGGED_AS) if kept.data.tags.get(_LOGGED_AT) == tracking.shown(uri) else None


def _kept_run(run_id: str) -> "Run | None":
    from mlflow.exceptions import MlflowException

    if not (PROJECT / _DATABASE).exists():
        return None
    try:
        return _open_kept().get_run(run_id)
    except MlflowException:
        return None


def _open_kept() -> "MlflowClient":
    return tracking.open_at(f"sqlite:///{PROJECT / _DATABASE}")


def _main() -> None:
    no_arguments("training.kept_runs", __doc__)
    logged = log_all(tracking.open_client())
    for before, now in logged.items():
        print(f"run {before}, kept here, is run {now} now")
    print("`dvc repro` goes on from there" if logged else "no run is kept here that is not logged")


if __name__ == "__main__":
    run(_main)
