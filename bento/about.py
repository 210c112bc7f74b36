"""What the server says of itself: probes, health, models, metrics, its own description."""

import json
import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bento.exchange import Exchange
from bento.logs import log_warning
from bento.metrics import CONTENT_TYPE
from bento.openapi import describe
from bento.registry import ModelVersion, RegistryError, open_registry
from bento.schemas import Capacity, Health, Models, Queue, Version
from bento.state import AppState, ready, unavailable


async def livez(_: Request) -> Response:
    """Say that the event loop turns."""
    return PlainTextResponse("alive\n")


async def readyz(request: Request) -> Response:
    """Say that predictions are answered."""
    state = AppState.of(request.scope)
    ready(state, Exchange.of(request.scope))
    if state.draining:
        raise unavailable()
    return PlainTextResponse("ready\n")


async def health(request: Request) -> Response:
    """Tell a person how the server is."""
    state = AppState.of(request.scope)
    serving = ready(state, Exchange.of(request.scope))
    now, capacity = time.perf_counter(), serving.runner.capacity
    answer = Health(
        model=serving.model,
        family=serving.manifest.family,
        labels=list(serving.manifest.labels),
        queue=Queue(texts=serving.runner.depth, lanes=serving.lanes),
        capacity=Capacity(
            used_ratio=round(capacity.used_ratio(now), 4),
            headroom_texts_per_s=round(capacity.headroom(now), 1),
        ),
        build=state.build,
        uptime_s=round(time.monotonic() - state.started, 3),
    )
    return Response(answer.model_dump_json(), media_type="application/json")


async def models(request: Request) -> Response:
    """Tell which model answers, where it comes from, and what else there is."""
    state = AppState.of(request.scope)
    serving = ready(state, Exchange.of(request.scope))
    manifest = serving.manifest
    answer = Models(
        serving=serving.model,
        **manifest.model_dump(
            include={"family", "created_at", "run_id", "data_sha256", "git_commit", "metrics"}
        ),
        versions=await run_in_threadpool(
            _versions, state.settings.registry, serving.model.digest, manifest.name
        ),
    )
    return Response(answer.model_dump_json(), media_type="application/json")


async def metrics(request: Request) -> Response:
    """Tell Prometheus."""
    state = AppState.of(request.scope)
    state.tell()
    return Response(await run_in_threadpool(state.metrics.render), media_type=CONTENT_TYPE)


async def openapi(request: Request) -> Response:
    """Describe the API."""
    return Response(json.dumps(describe(AppState.of(request.scope).settings)), media_type="application/json")


def _versions(registry: str, digest: str, name: str) -> list[Version] | None:
    try:
        found = open_registry(registry).versions(name)
    except RegistryError as error:
        log_warning("registry", error=str(error))
        return None
    return [_version(version, digest) for version in found]


def _version(version: ModelVersion, digest: str) -> Version:
    return Version(
        version=version.version,
        aliases=list(version.aliases),
        digest=version.digest,
        run_id=version.run_id,
        created_at=version.created_at,
        metrics=version.metrics,
        tags=version.tags,
        serving=version.digest == digest,
    )
