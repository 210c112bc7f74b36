"""The BentoML service that carries the HTTP API; `bento.api` says what is answered.

BentoML builds, starts and stops it. Requests go to the API alone: it stands in front of BentoML's own
routes, all but the one that BentoML's clients read first.
"""

import atexit
import os
import shutil
from typing import Any

import bentoml
from bentoml.exceptions import BentoMLException, NotFound
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from bento import logs
from bento.api import create_app
from bento.cpus import usable_cpus
from bento.membership import can_reload
from bento.package import MODEL_NAME, PackageError, read_package
from bento.registry import RegistryError, Resolved, resolve
from bento.rundir import VARIABLE as RUN_VARIABLE
from bento.rundir import RunDirectoryError, make_run_directory
from bento.schemas import PredictAnswer
from bento.scorer import Scorer
from bento.settings import PREFIX, Settings, SettingsError, load_settings
from bento.store import stored_package

_CLIENT_PATHS = frozenset({"/schema.json"})


class _Arguments(BaseModel):
    """What `bentoml build --arg` may set; a Bento remembers it."""

    model: str = ""  # the tag of the model package in BentoML's store


_arguments = bentoml.use_arguments(_Arguments)


def _load_settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        raise BentoMLException(str(error)) from None


def _find_model() -> Resolved:
    if _settings.model:
        return resolve(_settings.model, _settings.registry, _settings.cache_dir)
    if not _arguments.model:
        raise RegistryError(
            f"{PREFIX}MODEL is not set and this Bento references no model; "
            f"set it to a package directory or to models:/{MODEL_NAME}@production"
        )
    try:
        return Resolved(stored_package(_arguments.model), None)
    except NotFound as error:
        raise RegistryError(
            f"the Bento's model {_arguments.model} is not in BentoML's store: {error}"
        ) from error


_settings = _load_settings()
app = create_app(_settings, _find_model)


def _offer_run_directory() -> None:
    """Make the place where the workers agree on a model, for as long as this process watches over them."""
    if not can_reload(_settings):
        return
    try:
        run = make_run_directory()
    except RunDirectoryError as error:
        raise BentoMLException(str(error)) from error
    atexit.register(shutil.rmtree, run)
    os.environ[RUN_VARIABLE] = str(run)


class _Service(bentoml.Service[Any]):  # type: ignore[misc]  # BentoML imports it when it is asked for
    """A BentoML service behind its API, so that nothing of BentoML's shows but what its clients need."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:  # noqa: FBT001, FBT002 - as it is called
        bentomls: ASGIApp = super().to_asgi(is_main)

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            ours = scope["type"] == "http" and scope["path"] not in _CLIENT_PATHS
            await (app if ours else bentomls)(scope, receive, send)

        return front


@bentoml.service(
    name="valence",
    service_class=_Service,
    workers=_settings.workers,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
@bentoml.asgi_app(app, path="/")
class Valence:
    """Says whether a text is negative, neutral or positive."""

    if _arguments.model:
        package = bentoml.models.BentoModel(_arguments.model)

    def __init__(self) -> None:
        logs.configure(_settings.log_level, _settings.log_requests_per_s)
        version = bentoml.server_context.bento_version
        if version != "not available":  # what BentoML says of code that runs without having been built
            app.state.valence.build = version

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check() -> None:
        """Find and prove the model before any worker starts, so that all of them get the same good one."""
        try:
            found = _find_model()
            Scorer(read_package(found.path, _settings.model_digest), threads=usable_cpus()).check()
        except (PackageError, RegistryError) as error:
            raise BentoMLException(str(error)) from error
        _offer_run_directory()
        os.environ[f"{PREFIX}MODEL"] = str(found.path.absolute())
        if found.version is not None and _settings.model_version is None:
            os.environ[f"{PREFIX}MODEL_VERSION"] = found.version

    @bentoml.api(route="/predict")  # type: ignore[untyped-decorator]
    async def predict(self, text: str) -> PredictAnswer:
        """Judge one text. BentoML's clients read of it here; what they then send goes to the API."""
        raise NotImplementedError
