"""The model registry as serving sees it: read-only, and without the mlflow package.

MLflow is the source of truth. Its SQLite file is read where training and serving share a machine, its REST
API where a tracking server runs.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from bento.mlflow_file import MLflowFile
from bento.mlflow_server import MLflowServer
from bento.versions import ModelVersion, Registry, RegistryError, UnknownVersionError, without_userinfo

__all__ = [
    "ModelVersion",
    "Registry",
    "RegistryError",
    "Resolved",
    "UnknownVersionError",
    "find_version",
    "open_registry",
    "resolve",
]

_REFERENCE = re.compile(
    r"models:/(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:@(?P<alias>[A-Za-z0-9_-]+)|/(?P<version>[1-9][0-9]{0,8}))"
)


@dataclass(frozen=True)
class Resolved:
    """Where a model package lies, and the registry's version number when it came from there."""

    path: Path
    version: str | None


def open_registry(uri: str) -> Registry:
    """Open a registry.

    Args:
        uri: `sqlite:///relative.db`, `sqlite:////absolute.db`, or the `http(s)://` address of a server.

    Raises:
        RegistryError: Another kind of address.
    """
    if uri.startswith("sqlite:///"):
        return MLflowFile(Path(uri.removeprefix("sqlite:///")))
    if uri.startswith(("http://", "https://")):
        return MLflowServer(uri.rstrip("/"))
    raise RegistryError(
        f"VALENCE_REGISTRY={without_userinfo(uri)}: "
        "expected sqlite:///FILE or http(s)://HOST of an MLflow server"
    )


def resolve(model: str, registry_uri: str, cache: Path) -> Resolved:
    """Find the package that `VALENCE_MODEL` names. It is not verified here beyond what a download needs.

    Args:
        model: A directory, or `models:/name@alias`, or `models:/name/version`.
        registry_uri: As for `open_registry`; used for the latter two only.
        cache: Where downloads are kept.

    Raises:
        UnknownVersionError: The reference names nothing.
        RegistryError: The reference is malformed, or the registry does not answer.
    """
    if not model.startswith("models:"):
        if "://" in model:
            raise RegistryError(
                f"VALENCE_MODEL={without_userinfo(model)}: "
                "expected a directory or a models:/ reference, not a URL"
            )
        return Resolved(Path(model), None)
    version = find_version(model, registry_uri)
    return Resolved(open_registry(registry_uri).download(version, cache), version.version)


def find_version(model: str, registry_uri: str) -> ModelVersion:
    """Return what the registry knows of the version that a `models:/` reference names.

    Raises:
        UnknownVersionError: The reference names nothing.
        RegistryError: The reference is malformed, or the registry does not answer.
    """
    match = _REFERENCE.fullmatch(model)
    if match is None:
        raise RegistryError(f"VALENCE_MODEL={model}: expected models:/NAME@ALIAS or models:/NAME/VERSION")
    registry = open_registry(registry_uri)
    number = match["version"] or registry.aliased(match["name"], match["alias"])
    version = registry.version(match["name"], number) if number else None
    if version is not None:
        return version
    known = ", ".join(
        f"{version.version}{''.join(f' @{alias}' for alias in version.aliases)}"
        for version in registry.versions(match["name"])
    )
    raise UnknownVersionError(
        f"{model}: not in the registry {without_userinfo(registry_uri)}, "
        f"which has {known or 'no version of that model'}; 'make train' registers one"
    )
