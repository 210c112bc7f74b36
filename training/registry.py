"""The model registry as training sees it: versions are made here, and aliases moved."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.errors import InputError, TrainingError
from training.records import MODEL_NAME, Registration, Result

if TYPE_CHECKING:
    from mlflow import MlflowClient

STAGING, PRODUCTION = "staging", "production"


@dataclass(frozen=True)
class Move:
    """What became of an alias; `before` is None when it did not exist."""

    alias: str
    before: str | None
    after: str


def register(client: "MlflowClient", result: Result) -> Registration:
    """Make the package of a run a version of the registered model.

    A package that is a version already is not registered again.

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
                MODEL_NAME, source=f"runs:/{result.run_id}/package", run_id=result.run_id, tags=_tags(result)
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


def holds(client: "MlflowClient", registration: Registration) -> bool:
    """Say whether the registry still has this version with this very package."""
    return _version_of(client, registration.digest) == registration.version


def point(client: "MlflowClient", alias: str, version: str) -> Move:
    """Let an alias point to a version; nothing is written when it does already.

    Raises:
        InputError: There is no such version.
    """
    from mlflow.exceptions import MlflowException

    before = version_at(client, alias)
    if before != version:
        try:
            client.get_model_version(MODEL_NAME, version)
            client.set_registered_model_alias(MODEL_NAME, alias, version)
        except MlflowException as error:
            known = ", ".join(sorted(_versions(client), key=int)) or "none yet"
            raise InputError(f"{MODEL_NAME} has no version {version}; the versions are: {known}") from error
    return Move(alias, before, version)


def version_at(client: "MlflowClient", alias: str) -> str | None:
    """Return the version that an alias points to, None when there is no such alias."""
    models = client.search_registered_models(f"name='{MODEL_NAME}'")
    version = models[0].aliases.get(alias) if models else None
    return None if version is None else str(version)


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
