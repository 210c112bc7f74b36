"""MLflow's own SQLite file as a registry, opened read-only."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from bento.versions import LISTED, ModelVersion, RegistryError, package_source, without_userinfo

_COLUMNS = "SELECT version, creation_time, run_id, source FROM model_versions "


class MLflowFile:
    """A `Registry`; see mlflow/store/model_registry/dbmodels for the tables."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def versions(self, name: str) -> list[ModelVersion]:
        """See `Registry`."""
        with self._connection() as connection:
            rows = connection.execute(
                _COLUMNS + "WHERE name = ? AND current_stage <> 'Deleted_Internal' "
                "ORDER BY version DESC LIMIT ?",
                (name, LISTED),
            ).fetchall()
            return [_version(connection, name, *row) for row in rows]

    def version(self, name: str, number: str) -> ModelVersion | None:
        """See `Registry`."""
        with self._connection() as connection:
            row = connection.execute(
                _COLUMNS + "WHERE name = ? AND version = ? AND current_stage <> 'Deleted_Internal'",
                (name, number),
            ).fetchone()
            return row and _version(connection, name, *row)

    def aliased(self, name: str, alias: str) -> str | None:
        """See `Registry`."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?", (name, alias)
            ).fetchone()
        return row and str(row[0])

    def download(self, version: ModelVersion, cache: Path) -> Path:
        """See `Registry`."""
        del cache  # the files lie on this machine already
        run_id, path = package_source(version)
        with self._connection() as connection:
            row = connection.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
        if row is None:
            raise RegistryError(f"{version.name} version {version.version}: its run {run_id} was deleted")
        location = urlparse(row[0])
        if location.scheme not in ("", "file"):
            raise RegistryError(
                f"{version.name} version {version.version}: its files are at {without_userinfo(row[0])}; "
                "set VALENCE_REGISTRY to the MLflow server that hands them out"
            )
        return Path(unquote(location.path)) / path

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            if not self._path.is_file():
                raise RegistryError(f"{self._path}: no registry there; 'make train' makes one")
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True)) as connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise RegistryError(
                f"{self._path}: cannot be read as MLflow's database ({error}); "
                "set VALENCE_REGISTRY to one, or make one with 'make train'"
            ) from error


def _version(
    connection: sqlite3.Connection,
    name: str,
    number: int,
    created: int,
    run_id: str | None,
    source: str | None,
) -> ModelVersion:
    def pairs(query: str, *key: object) -> dict[str, Any]:
        return dict(connection.execute(query, key))

    tags = pairs("SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?", name, number)
    aliases = pairs(
        "SELECT alias, version FROM registered_model_aliases WHERE name = ? AND version = ? ORDER BY alias",
        name,
        number,
    )
    return ModelVersion(
        name=name,
        version=str(number),
        aliases=tuple(aliases),
        digest=tags.get("digest"),
        run_id=run_id or "",
        created_at=datetime.fromtimestamp(created / 1000, UTC),
        tags=tags,
        metrics=pairs("SELECT key, value FROM latest_metrics WHERE run_uuid = ?", run_id),
        source=source or "",
    )
