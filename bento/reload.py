"""`POST /reload`: another of the registry's versions, in all workers or in none, and no request lost."""

import hmac
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from bento.body import read_json
from bento.coordinator import RefusedError, WorkersMissingError, change_model
from bento.exchange import Exchange
from bento.logs import log_error, log_warning
from bento.package import MODEL_NAME, PackageError, read_digest
from bento.problems import ProblemError
from bento.registry import RegistryError, UnknownVersionError, resolve
from bento.rundir import BusyError, ModelRef
from bento.schemas import Model, ReloadAnswer, ReloadRequest
from bento.settings import Settings
from bento.state import AppState, ready

_RETRY_AFTER = {"retry-after": "5"}  # seconds in which a worker should have started


async def reload(request: Request) -> Response:
    """Change the model."""
    state = AppState.of(request.scope)
    _authorise(request, state.settings)
    exchange = Exchange.of(request.scope)
    ready(state, exchange)
    body = await read_json(request.scope, request.receive, ReloadRequest, state.settings.max_body_bytes)
    choice = await run_in_threadpool(_choose, body, state.settings)
    previous = ready(state, exchange).model  # as of now: another change may have come meanwhile
    model = Model(name=MODEL_NAME, version=choice.version, digest=choice.digest)
    workers = state.workers
    if model != previous:
        workers = await _change(state, choice, previous)
    Exchange.of(request.scope).model_version = model.version
    answer = ReloadAnswer(model=model, previous=previous, workers=workers)
    return Response(answer.model_dump_json(), media_type="application/json")


def _authorise(request: Request, settings: Settings) -> None:
    if settings.admin_token is None:
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "reloading is off; start the server with VALENCE_ADMIN_TOKEN to enable it"
        )
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    expected = settings.admin_token.get_secret_value()
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected.encode()):
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "send the server's VALENCE_ADMIN_TOKEN as Authorization: Bearer …",
            headers={"www-authenticate": 'Bearer realm="valence"'},
        )
    if settings.model_digest is not None:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "this server is pinned to its model by VALENCE_MODEL_DIGEST; release another one instead, "
            "such as with: helm upgrade RELEASE CHART --reset-then-reuse-values --set model.version=VERSION",
        )


def _choose(body: ReloadRequest, settings: Settings) -> ModelRef:
    """Find the package. What the caller sent names a version of one model, and nothing else."""
    reference = f"models:/{MODEL_NAME}" + (f"/{body.version}" if body.version else f"@{body.alias}")
    try:
        found = resolve(reference, settings.registry, settings.cache_dir)
        return ModelRef(path=found.path.absolute(), digest=read_digest(found.path), version=found.version)
    except UnknownVersionError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from None
    except RegistryError as error:
        raise ProblemError(HTTPStatus.BAD_GATEWAY, f"the registry cannot be used: {error}") from None
    except PackageError as error:
        raise ProblemError(HTTPStatus.CONFLICT, f"nothing has changed: {error}") from None


async def _change(state: AppState, choice: ModelRef, previous: Model) -> int:
    if state.run is None:
        raise RuntimeError("a server that may reload has a run directory")
    still = f"version {previous.version or 'without a number'}, {previous.digest}, serves on"
    try:
        return await change_model(state.run, choice, workers=state.workers)
    except BusyError:
        raise ProblemError(
            HTTPStatus.CONFLICT, f"another change, or the start of a worker, is under way; {still}"
        ) from None
    except RefusedError as refused:
        log_warning("a model was refused", digest=choice.digest, version=choice.version, why=str(refused))
        raise ProblemError(HTTPStatus.CONFLICT, f"{refused}; {still}") from None
    except WorkersMissingError as missing:
        log_warning("a model was not changed", digest=choice.digest, version=choice.version, why=str(missing))
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE, f"{missing}; {still}; try again", headers=_RETRY_AFTER
        ) from None
    except OSError as error:
        log_error("a model was not changed", digest=choice.digest, version=choice.version, why=str(error))
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"the server's directory for temporary files cannot be used ({error.strerror}); {still}",
        ) from None
