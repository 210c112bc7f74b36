"""Runs in MLflow: where they are kept, and what is logged of each.

MLflow takes seconds to import, so it is imported inside functions, and talks much, so it is kept to warnings.
"""

import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from training.errors import TrainingError
from training.project import PROJECT
from training.records import MODEL_NAME, Result, flatten

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQLITE = "sqlite:///"

# Read by mlflow when it is imported, so set before anything here can import it.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # of a second, in the midst of ours
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # its seven take minutes


def tracking_uri() -> str:
    """Return `MLFLOW_TRACKING_URI`, or by default the SQLite database `.valence/mlflow.db` of the project.

    A relative SQLite file is taken from the current directory and comes back absolute.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{PROJECT / '.valence' / 'mlflow.db'}"
    return f"{_SQLITE}{Path(uri.removeprefix(_SQLITE)).resolve()}" if uri.startswith(_SQLITE) else uri


def is_local(uri: str) -> bool:
    """Say whether this is a database on this machine, rather than a server."""
    return uri.startswith(_SQLITE)


def shown(uri: str) -> str:
    """Return a URI as people may see it, without a password."""
    return re.sub(r"//[^/@]*@", "//", uri)


def open_client() -> "MlflowClient":
    """Open MLflow at `tracking_uri`; a local database is made when it is not there.

    Raises:
        TrainingError: It does not answer.
    """
    return open_at(tracking_uri())


def open_at(uri: str) -> "MlflowClient":
    """Open MLflow there; see `open_client`."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # what it says is raised as well
    if is_local(uri):
        Path(uri.removeprefix(_SQLITE)).parent.mkdir(parents=True, exist_ok=True)
    try:
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError) as error:
        raise TrainingError(
            f"MLflow does not answer at {shown(uri)}. Start it, or correct or unset MLFLOW_TRACKING_URI"
        ) from error
    return client


@contextmanager
def new_run(client: "MlflowClient", family: str, data: str) -> Iterator[str]:
    """Open a run, and end it as finished, or as failed when the block raises.

    Yields:
        The run's id.

    Raises:
        TrainingError: MLflow does not take it.
    """
    from mlflow.exceptions import MlflowException

    with refusals(client):
        run = client.create_run(
            _experiment(client), run_name=f"{family}-{data}", tags={"family": family, "data": data}
        )
        run_id: str = run.info.run_id
        try:
            yield run_id
        except BaseException:
            with suppress(MlflowException):  # what went wrong first is told
                client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")


@contextmanager
def refusals(client: "MlflowClient") -> Iterator[None]:
    """Tell what MLflow refuses inside the block, or that it is gone, as a `TrainingError`."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise TrainingError(
            f"MLflow at {shown(client.tracking_uri)} does not do it: {error.message}. See whether it runs, "
            "has space on its disk, and lets MLFLOW_TRACKING_TOKEN do this; then run the same command again"
        ) from error


def log_result(
    client: "MlflowClient", result: Result, params: dict[str, object], package: Path, picture: Path
) -> None:
    """Log everything about a trained family: parameters, metrics, lineage, the picture, the package.

    Args:
        client: From `open_client`.
        result: What came out.
        params: The family's section of `params.yaml`.
        package: The package's directory; it becomes the artifact folder `package`.
        picture: The confusion matrices.
    """
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    metrics = flatten(result.evaluations) | {
        "train_rows": result.train_rows,
        "train_seconds": result.train_seconds,
        "package_bytes": result.package_bytes,
    }
    chosen = {f"chosen_{name}": value for name, value in result.chosen.items()}
    tags = {"digest": result.digest, "data_sha256": result.data_sha256}
    if result.git_commit:
        tags["git_commit"] = result.git_commit
    client.log_batch(
        result.run_id,
        metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
        params=[Param(name, str(value)) for name, value in (params | chosen).items()],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )
    client.log_artifact(result.run_id, str(picture))
    client.log_artifacts(result.run_id, str(package), "package")


def log_evaluation(
    client: "MlflowClient",
    run_id: str,
    metrics: dict[str, float],
    files: Sequence[Path],
    folder: str,
) -> None:
    """Add what an evaluation found to the run that made the package.

    Args:
        client: From `open_client`.
        run_id: The run.
        metrics: By name.
        files: What is kept with the run.
        folder: Where among its artifacts.

    Raises:
        TrainingError: MLflow does not know the run.
    """
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException

    now = int(time.time() * 1000)
    try:
        client.log_batch(run_id, [Metric(name, value, now, 0) for name, value in metrics.items()])
        for file in files:
            client.log_artifact(run_id, str(file), folder)
    except MlflowException as error:
        raise TrainingError(
            f"MLflow cannot add to run {run_id}: {error.message}. "
            "If its database is another one than at training: `dvc repro --force` trains again"
        ) from error


def _experiment(client: "MlflowClient") -> str:
    found = client.get_experiment_by_name(MODEL_NAME)
    if found is not None:
        return str(found.experiment_id)
    uri = client.tracking_uri
    # Beside the database rather than in whatever directory this happens to run; a server knows its own place.
    location = (
        (Path(uri.removeprefix(_SQLITE)).resolve().parent / "mlartifacts").as_uri() if is_local(uri) else None
    )
    return str(client.create_experiment(MODEL_NAME, artifact_location=location))
