"""An MLflow tracking server as a registry, by its REST API 2.0."""

import re
import shutil
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bento.package import GRAPH, MANIFEST, TOKENIZER, PackageError, read_package
from bento.versions import LISTED, ModelVersion, RegistryError, package_source, without_userinfo

_API = "/api/2.0/mlflow"
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_EXPERIMENTS = 1000  # as many as the server hands out at once
_LISTING_S = 5  # somebody waits for the page
_DOWNLOAD_S = 30
_LATEST_MS = 253_402_300_799_999  # the end of the year 9999, as far as a datetime goes

Number = Annotated[str, Field(pattern=r"^[0-9]+$")]


class _Answer(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class _Tag(_Answer):
    key: str
    value: str = ""


class _Version(_Answer):
    version: Number
    creation_timestamp: int = Field(ge=0, le=_LATEST_MS)
    run_id: str = ""
    source: str = ""
    tags: tuple[_Tag, ...] = ()


class _Versions(_Answer):
    model_versions: tuple[_Version, ...] = ()


class _Alias(_Answer):
    alias: str
    version: Number


class _Model(_Answer):
    aliases: tuple[_Alias, ...] = ()


class _Models(_Answer):
    registered_models: tuple[_Model, ...] = ()


class _Experiment(_Answer):
    experiment_id: str


class _Experiments(_Answer):
    experiments: tuple[_Experiment, ...] = ()


class _Metric(_Answer):
    key: str
    value: float


class _RunInfo(_Answer):
    run_id: str


class _RunData(_Answer):
    metrics: tuple[_Metric, ...] = ()


class _Run(_Answer):
    info: _RunInfo
    data: _RunData = _RunData()


class _Runs(_Answer):
    runs: tuple[_Run, ...] = ()


_Asked = TypeVar("_Asked", bound=_Answer)


class MLflowServer:
    """A `Registry`; a user and password in its address are sent as basic authentication and never shown."""

    def __init__(self, address: str) -> None:
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:  # whose message may quote the password
            raise RegistryError(
                f"VALENCE_REGISTRY={without_userinfo(address)}: not a valid address; write special "
                "characters of a password as %XX"
            ) from None
        self._auth = (url.username, url.password) if url.userinfo else None
        self._url = url.copy_with(userinfo=b"")
        self._address = without_userinfo(address)

    def versions(self, name: str) -> list[ModelVersion]:
        """See `Registry`. Four calls, however many versions there are."""
        with self._client(_LISTING_S) as client:
            found = self._search(client, f"name='{name}'")
            return self._with_aliases_and_metrics(client, name, found) if found else []

    def version(self, name: str, number: str) -> ModelVersion | None:
        """See `Registry`."""
        with self._client(_DOWNLOAD_S) as client:
            found = self._search(client, f"name='{name}' and version_number={number}")
            return self._with_aliases_and_metrics(client, name, found)[0] if found else None

    def aliased(self, name: str, alias: str) -> str | None:
        """See `Registry`."""
        with self._client(_DOWNLOAD_S) as client:
            aliases = self._aliases(client, name)
        return next((entry.version for entry in aliases if entry.alias == alias), None)

    def download(self, version: ModelVersion, cache: Path) -> Path:
        """See `Registry`. What is in the cache is used when it is whole and has the version's digest."""
        run_id, path = package_source(version)
        target = cache / version.name / f"{version.version}-{run_id}"
        try:
            if _holds(target, version.digest):
                return target
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                prefix=".download-", dir=target.parent, ignore_cleanup_errors=True
            ) as staging:
                fetched = Path(staging) / "package"
                fetched.mkdir()
                with self._client(_DOWNLOAD_S) as client:
                    for file in (MANIFEST, TOKENIZER, GRAPH):
                        asked = {"run_id": run_id, "path": f"{path}/{file}"}
                        request = client.build_request("GET", "/get-artifact", params=asked)
                        (fetched / file).write_bytes(self._send(client, request).content)
                read_package(fetched, version.digest)
                _put(fetched, target, version.digest)
        except PackageError as error:
            raise RegistryError(f"{version.name} version {version.version}: {error}") from error
        except OSError as error:
            raise RegistryError(
                f"{cache}: cannot keep the download of {version.name} version {version.version} ({error}); "
                "set VALENCE_CACHE_DIR to a folder that can be written to"
            ) from error
        return target

    def _search(self, client: httpx.Client, condition: str) -> tuple[_Version, ...]:
        asked = {"filter": condition, "max_results": LISTED, "order_by": "version_number DESC"}
        return self._ask(client, "GET", "/model-versions/search", asked, _Versions).model_versions

    def _with_aliases_and_metrics(
        self, client: httpx.Client, name: str, found: tuple[_Version, ...]
    ) -> list[ModelVersion]:
        aliases = self._aliases(client, name)
        metrics = self._metrics(client, {raw.run_id for raw in found if _RUN_ID.fullmatch(raw.run_id)})
        return [
            _model_version(name, raw, aliases, metrics.get(raw.run_id, {}))
            for raw in sorted(found, key=lambda raw: -int(raw.version))
        ]

    def _aliases(self, client: httpx.Client, name: str) -> tuple[_Alias, ...]:
        asked = {"filter": f"name='{name}'", "max_results": 1}
        models = self._ask(client, "GET", "/registered-models/search", asked, _Models).registered_models
        return models[0].aliases if models else ()

    def _metrics(self, client: httpx.Client, run_ids: set[str]) -> dict[str, dict[str, float]]:
        if not run_ids:
            return {}
        asked = {"max_results": _EXPERIMENTS, "view_type": "ALL"}
        experiments = self._ask(client, "GET", "/experiments/search", asked, _Experiments).experiments
        wanted = ", ".join(f"'{run_id}'" for run_id in sorted(run_ids))
        search = {
            "experiment_ids": [experiment.experiment_id for experiment in experiments],
            "filter": f"attributes.run_id IN ({wanted})",
            "run_view_type": "ALL",
            "max_results": len(run_ids),
        }
        runs = self._ask(client, "POST", "/runs/search", search, _Runs).runs
        return {run.info.run_id: {metric.key: metric.value for metric in run.data.metrics} for run in runs}

    def _client(self, timeout_s: float) -> httpx.Client:
        return httpx.Client(base_url=self._url, auth=self._auth, timeout=timeout_s)

    def _ask(
        self, client: httpx.Client, method: str, path: str, asked: dict[str, object], kind: type[_Asked]
    ) -> _Asked:
        sent = {"params": asked} if method == "GET" else {"json": asked}
        answer = self._send(client, client.build_request(method, _API + path, **sent))  # type: ignore[arg-type]
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            reason = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise RegistryError(
                f"{self._address}{_API}{path}: this is not what an MLflow server answers ({reason}); "
                "set VALENCE_REGISTRY to the address of one"
            ) from error

    def _send(self, client: httpx.Client, request: httpx.Request) -> httpx.Response:
        try:
            answer = client.send(request)
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise RegistryError(
                f"{request.url.copy_with(query=None)}: the MLflow server answered "
                f"{error.response.status_code}; VALENCE_REGISTRY must name one that hands out its models"
            ) from error
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise RegistryError(f"{self._address}: the MLflow server does not answer ({reason})") from error
        return answer


def _model_version(
    name: str, raw: _Version, aliases: Iterable[_Alias], metrics: dict[str, float]
) -> ModelVersion:
    tags = {tag.key: tag.value for tag in raw.tags}
    return ModelVersion(
        name=name,
        version=raw.version,
        aliases=tuple(sorted(entry.alias for entry in aliases if entry.version == raw.version)),
        digest=tags.get("digest"),
        run_id=raw.run_id,
        created_at=datetime.fromtimestamp(raw.creation_timestamp / 1000, UTC),
        tags=tags,
        metrics=metrics,
        source=raw.source,
    )


def _holds(directory: Path, digest: str | None) -> bool:
    try:
        read_package(directory, digest)
    except PackageError:
        return False
    return True


def _put(fetched: Path, target: Path, digest: str | None) -> None:
    try:
        fetched.rename(target)
    except OSError:
        # Another process was quicker, or what lies there is damaged.
        if not _holds(target, digest):
            shutil.rmtree(target)
            fetched.rename(target)
