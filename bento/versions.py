"""What a model registry knows of a model, whichever way it is read."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

LISTED = 50  # versions at most, newest first: a page for people

_RUN_SOURCE = re.compile(r"runs:/(?P<run_id>[0-9a-f]{32})/(?P<path>[A-Za-z0-9._/-]+)")


class RegistryError(Exception):
    """The registry or the version asked of it is not to be had; the message says what to do."""


class UnknownVersionError(RegistryError):
    """The registry answers, and has no such version or alias."""


@dataclass(frozen=True)
class ModelVersion:
    """One registered version, with what the registry says of it."""

    name: str
    version: str
    aliases: tuple[str, ...]
    digest: str | None
    run_id: str
    created_at: datetime
    tags: dict[str, str]
    metrics: dict[str, float]
    source: str


class Registry(Protocol):
    """What serving asks of a registry. All of it raises `RegistryError`."""

    def versions(self, name: str) -> list[ModelVersion]:
        """Return the newest versions of a model, newest first, at most `LISTED`; none when unregistered."""

    def version(self, name: str, number: str) -> ModelVersion | None:
        """Return one version, however old."""

    def aliased(self, name: str, alias: str) -> str | None:
        """Return the number of the version that has the alias."""

    def download(self, version: ModelVersion, cache: Path) -> Path:
        """Return a directory that holds the version's package, downloaded into `cache` where need be."""


def package_source(version: ModelVersion) -> tuple[str, str]:
    """Return the run that holds a version's package, and the package's path among the run's artifacts.

    Raises:
        RegistryError: The version was registered from elsewhere.
    """
    match = _RUN_SOURCE.fullmatch(version.source)
    if match is None or ".." in match["path"].split("/"):
        raise RegistryError(
            f"{version.name} version {version.version}: its source "
            f"{without_userinfo(version.source)!r} is not runs:/RUN/PATH; register it with 'make train'"
        )
    return match["run_id"], match["path"]


def without_userinfo(address: str) -> str:
    """Return an address as it may be shown: without user and password."""
    scheme, separator, rest = address.partition("://")
    if scheme == "sqlite":
        return address  # a path, in which @ means nothing
    return scheme + separator + rest.rpartition("@")[2] if separator else address.rpartition("@")[2]
