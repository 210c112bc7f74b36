"""The model registry as serving sees it: read-only, and without the mlflow package.

MLflow is the source of truth. Its SQLite file is read where training and serving share a machine, its REST
API where a tracking server runs; both are spoken by the same few lines, so serving stays free of mlflow.
"""

import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlparse

import httpx

from bento.package import GRAPH, MANIFEST, TOKENIZER, PackageError, read_package

MODEL_NAME = "valence-sentiment"

_REFERENCE = re.compile(
    r"models:/(?P<name>[A-Za-z0-9._-]+)(?:@(?P<alias>[A-Za-z0-9_-]+)|/(?P<version>[1-9][0-9]*))"
)
_RUN_SOURCE = re.compile(r"runs:/(?P<run_id>[0-9a-f]{32})/(?P<path>[A-Za-z0-9._/-]+)")
_TIMEOUT_S = 30


class RegistryError(Exception):
    """The registry or the version asked of it is not to be had; the message says what to do."""


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


@dataclass(frozen=True)
class Resolved:
    """Where a model package lies, and the registry's version number when it came from there."""

    path: Path
    version: str | None


class Registry(Protocol):
    """What serving asks of a registry."""

    def versions(self, name: str) -> list[ModelVersion]:
        """Return all versions of a model, newest first; none when the model is not registered."""

    def download(self, version: ModelVersion, cache: Path) -> Path:
        """Return a directory that holds the version's package, downloaded into `cache` where need be."""


def open_registry(uri: str) -> Registry:
    """Open a registry.

    Args:
        uri: `sqlite:///relative.db`, `sqlite:////absolute.db`, or the `http(s)://` address of a server.

    Raises:
        RegistryError: Another kind of address.
    """
    scheme = urlparse(uri).scheme
    if scheme == "sqlite":
        return _SQLite(Path(uri.removeprefix("sqlite:///")))
    if scheme in ("http", "https"):
        return _Server(uri.rstrip("/"))
    raise RegistryError(
        f"VALENCE_REGISTRY={uri}: expected sqlite:///FILE or http(s)://HOST of an MLflow server"
    )


def resolve(model: str, registry_uri: str, cache: Path) -> Resolved:
    """Find the package that `VALENCE_MODEL` names. It is not verified here beyond what a download needs.

    Args:
        model: A directory, or `models:/name@alias`, or `models:/name/version`.
        registry_uri: As for `open_registry`; used for the latter two only.
        cache: Where downloads are kept.

    Raises:
        RegistryError: The reference is malformed or names nothing, or the registry does not answer.
    """
    if not model.startswith("models:"):
        if "://" in model:
            raise RegistryError(
                f"VALENCE_MODEL={model}: expected a directory or a models:/ reference, not a URL"
            )
        return Resolved(Path(model), None)
    match = _REFERENCE.fullmatch(model)
    if match is None:
        raise RegistryError(f"VALENCE_MODEL={model}: expected models:/NAME@ALIAS or models:/NAME/VERSION")
    registry = open_registry(registry_uri)
    versions = registry.versions(match["name"])
    for version in versions:
        if match["alias"] in version.aliases or match["version"] == version.version:
            return Resolved(registry.download(version, cache), version.version)
    known = ", ".join(
        f"{version.version}{''.join(f' @{alias}' for alias in version.aliases)}" for version in versions
    )
    raise RegistryError(
        f"{model}: not in the registry {registry_uri}, which has {known or 'no version of that model'}; "
        "'make train' registers one"
    )


class _SQLite:
    """MLflow's own SQLite file, opened read-only; see mlflow/store/model_registry/dbmodels for the tables."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def versions(self, name: str) -> list[ModelVersion]:
        with closing(self._open()) as connection:
            rows = connection.execute(
                "SELECT version, creation_time, run_id, source FROM model_versions "
                "WHERE name = ? AND current_stage <> 'Deleted_Internal' ORDER BY version DESC",
                (name,),
            ).fetchall()
            tags = _group(
                connection.execute(
                    "SELECT version, key, value FROM model_version_tags WHERE name = ?", (name,)
                )
            )
            aliases = _group(
                connection.execute(
                    "SELECT version, alias, '' FROM registered_model_aliases WHERE name = ? ORDER BY alias",
                    (name,),
                )
            )
            return [
                ModelVersion(
                    name,
                    str(version),
                    tuple(aliases.get(version, ())),
                    tags.get(version, {}).get("digest"),
                    run_id,
                    _moment(created),
                    tags.get(version, {}),
                    dict(
                        connection.execute(
                            "SELECT key, value FROM latest_metrics WHERE run_uuid = ?", (run_id,)
                        )
                    ),
                    source,
                )
                for version, created, run_id, source in rows
            ]

    def download(self, version: ModelVersion, cache: Path) -> Path:
        del cache  # the files lie on this machine already
        run_id, path = _split_source(version)
        with closing(self._open()) as connection:
            row = connection.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
        if row is None:
            raise RegistryError(f"{version.name} version {version.version}: its run {run_id} was deleted")
        location = urlparse(row[0])
        if location.scheme not in ("", "file"):
            raise RegistryError(
                f"{version.name} version {version.version}: its files are at {row[0]}; "
                "set VALENCE_REGISTRY to the MLflow server that hands them out"
            )
        return Path(unquote(location.path)) / path

    def _open(self) -> sqlite3.Connection:
        if not self._path.is_file():
            raise RegistryError(f"{self._path}: no registry there; 'make train' makes one")
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)


class _Server:
    """An MLflow tracking server, by its REST API 2.0."""

    def __init__(self, address: str) -> None:
        self._address = address

    def versions(self, name: str) -> list[ModelVersion]:
        with self._client() as client:
            found: list[dict[str, Any]] = []
            token: str | None = ""
            while token is not None:
                page = self._get(
                    client,
                    "/api/2.0/mlflow/model-versions/search",
                    {"filter": f"name='{name}'", "max_results": "100", "page_token": token},
                ).json()
                found += page.get("model_versions", [])
                token = page.get("next_page_token")
            aliases = self._aliases(client, name) if found else {}
            return [
                self._version(client, raw, aliases)
                for raw in sorted(found, key=lambda raw: -int(raw["version"]))
            ]

    def download(self, version: ModelVersion, cache: Path) -> Path:
        run_id, path = _split_source(version)
        target = cache / version.name / f"{version.version}-{run_id}"
        if target.is_dir():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".download-", dir=target.parent))
        try:
            with self._client() as client:
                for file in (MANIFEST, TOKENIZER, GRAPH):
                    answer = self._get(client, "/get-artifact", {"run_id": run_id, "path": f"{path}/{file}"})
                    (staging / file).write_bytes(answer.content)
            read_package(staging, version.digest)
            staging.rename(target)
        except PackageError as error:
            raise RegistryError(f"{version.name} version {version.version}: {error}") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return target

    def _version(
        self, client: httpx.Client, raw: dict[str, Any], aliases: dict[str, list[str]]
    ) -> ModelVersion:
        tags = {tag["key"]: tag["value"] for tag in raw.get("tags", [])}
        run = self._get(client, "/api/2.0/mlflow/runs/get", {"run_id": raw["run_id"]}).json()["run"]
        return ModelVersion(
            raw["name"],
            raw["version"],
            tuple(sorted(aliases.get(raw["version"], ()))),
            tags.get("digest"),
            raw["run_id"],
            _moment(int(raw["creation_timestamp"])),
            tags,
            {metric["key"]: float(metric["value"]) for metric in run["data"].get("metrics", [])},
            raw["source"],
        )

    def _aliases(self, client: httpx.Client, name: str) -> dict[str, list[str]]:
        model = self._get(client, "/api/2.0/mlflow/registered-models/get", {"name": name}).json()[
            "registered_model"
        ]
        aliases: dict[str, list[str]] = {}
        for entry in model.get("aliases", []):
            aliases.setdefault(entry["version"], []).append(entry["alias"])
        return aliases

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self._address, timeout=_TIMEOUT_S)

    def _get(self, client: httpx.Client, path: str, params: dict[str, str]) -> httpx.Response:
        try:
            answer = client.get(path, params=params)
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise RegistryError(
                f"{self._address}{path}: the MLflow server answered {error.response.status_code}"
            ) from error
        except httpx.HTTPError as error:
            raise RegistryError(f"{self._address}: the MLflow server does not answer ({error})") from error
        return answer


def _split_source(version: ModelVersion) -> tuple[str, str]:
    match = _RUN_SOURCE.fullmatch(version.source)
    if match is None or ".." in match["path"].split("/"):
        raise RegistryError(
            f"{version.name} version {version.version}: its source {version.source} is not runs:/RUN/PATH; "
            "register it with 'make train'"
        )
    return match["run_id"], match["path"]


def _group(rows: sqlite3.Cursor) -> dict[int, dict[str, str]]:
    grouped: dict[int, dict[str, str]] = {}
    for version, key, value in rows:
        grouped.setdefault(version, {})[key] = value
    return grouped


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
