"""The model registry as training sees it: versions are made here, and aliases moved.

Each function raises a `TrainingError` where MLflow refuses, or does not answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from training import tracking
from training.errors import InputError, TrainingError
from training.project import python
from training.records import MODEL_NAME, Registration, Result

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

STAGING, PRODUCTION = "staging", "production"

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")
_Asking = Callable[Concatenate["MlflowClient", _Given], _Found]


@dataclass(frozen=True)
class Move:
    """What became of an alias; `before` is None when it did not exist."""

    alias: str
    before: str | None
    after: str | None


def _refusals_told(function: _Asking[_Given, _Found]) -> _Asking[_Given, _Found]:
    @wraps(function)
    def ask(client: "MlflowClient", /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
        with tracking.refusals(client):
            return function(client, *args, **kwargs)

    return ask


@_refusals_told
def register(client: "MlflowClient", result: Result, lineage: dict[str, str] | None = None) -> Registration:
    """Make the package of a run a version of the registered model.

    A package that is a version already is not registered again.

    Args:
        client: From `training.tracking.open_client`.
        result: The run's.
        lineage: Tags that say more of where the version comes from.

    Raises:
        TrainingError: MLflow does not know the run.
    """
    from mlflow.exceptions import MlflowException

    version = _version_of(client, result.digest)
    if version is None:
        try:
            client.get_run(result.run_id)
            if not client.search_registered_models(f"name='{MODEL_NAME}'"):
                client.create_registered_model(MODEL_NAME)
            # Not `register_model`: that one wants a model in MLflow's own format.
            created = client.create_model_version(
                MODEL_NAME,
                source=f"runs:/{result.run_id}/package",
                run_id=result.run_id,
                tags=_tags(result) | (lineage or {}),
            )
        except MlflowException as error:
            raise TrainingError(
                f"MLflow cannot register run {result.run_id}: {error.message}. "
                "If its database is another one than at training: `dvc repro --force` trains again"
            ) from error
        version = str(created.version)
    return Registration(
        name=MODEL_NAME,
        version=version,
        family=result.family,
        digest=result.digest,
        run_id=result.run_id,
    )


@_refusals_told
def holds(client: "MlflowClient", registration: Registration) -> bool:
    """Say whether the registry still has this version with this very package."""
    return _version_of(client, registration.digest) == registration.version


@_refusals_told
def point(client: "MlflowClient", alias: str, version: str) -> Move:
    """Let an alias point to a version; nothing is written when it does already.

    Raises:
        InputError: There is no such version.
    """
    before = version_at(client, alias)
    if before != version:
        _get(client, version)
        client.set_registered_model_alias(MODEL_NAME, alias, version)
    return Move(alias, before, version)


def explain(move: Move) -> str:
    """Say in one line what moved, and how to go back."""
    if move.before == move.after:
        return f"{move.alias}: {move.after or 'none'}, nothing moved"
    line = f"{move.alias}: {move.before or 'none'} -> {move.after}"
    if move.alias == PRODUCTION and move.before:
        line += f"; back with: {python()} -m training.promote --to {move.before}"
    return line


@_refusals_told
def version_at(client: "MlflowClient", alias: str) -> str | None:
    """Return the version that an alias points to, None when there is no such alias."""
    models = client.search_registered_models(f"name='{MODEL_NAME}'")
    version = models[0].aliases.get(alias) if models else None
    return None if version is None else str(version)


@_refusals_told
def tags_of(client: "MlflowClient", version: str) -> dict[str, str]:
    """Return the tags of a version.

    Raises:
        InputError: There is no such version.
    """
    return dict(_get(client, version).tags)


@_refusals_told
def tag(client: "MlflowClient", version: str, tags: dict[str, str]) -> None:
    """Set tags of a version."""
    for name, value in tags.items():
        client.set_model_version_tag(MODEL_NAME, version, name, value)


@_refusals_told
def keep(client: "MlflowClient", version: str, content: str, path: str) -> None:
    """Keep a text among the artifacts of the run that a version came from."""
    client.log_text(_run_of(client, version), content, path)


def download(client: "MlflowClient", version: str, name: str, folder: Path) -> Path:
    """Fetch a folder of the artifacts of the run that a version came from.

    Returns:
        Where it is, somewhere below `folder`.

    Raises:
        InputError: There is no such version.
        TrainingError: Its run has no such folder, or it cannot be fetched.
    """
    from mlflow.exceptions import MlflowException

    run_id = _run_of(client, version)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if not client.list_artifacts(run_id, name):
            raise TrainingError(f"run {run_id} has no artifacts in {name}")
        return Path(client.download_artifacts(run_id, name, str(folder)))
    except (MlflowException, OSError) as error:
        raise TrainingError(f"the artifacts {name} of run {run_id} cannot be fetched: {error}") from error


def _run_of(client: "MlflowClient", version: str) -> str:
    run_id = _get(client, version).run_id
    if run_id is None:
        raise TrainingError(f"version {version} was registered without a run; register it with `make train`")
    return run_id


def _get(client: "MlflowClient", version: str) -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version(MODEL_NAME, version)
    except MlflowException as error:
        known = ", ".join(sorted(_versions(client), key=int)) or "none yet"
        raise InputError(f"{MODEL_NAME} has no version {version}; the versions are: {known}") from error


def _versions(client: "MlflowClient") -> list[str]:
    return [str(found.version) for found in client.search_model_versions(f"name='{MODEL_NAME}'")]


def _version_of(client: "MlflowClient", digest: str) -> str | None:
    found = client.search_model_versions(f"name='{MODEL_NAME}' and tag.digest='{digest}'")
    return str(found[0].version) if found else None


def _tags(result: Result) -> dict[str, str]:
    tags = {
        "digest": result.digest,
        "family": result.family,
        "data": result.data,
        "data_sha256": result.data_sha256,
        "macro_f1": f"{result.evaluations['validation'].macro_f1:.4f}",
    }
    return tags | ({"git_commit": result.git_commit} if result.git_commit else {})
