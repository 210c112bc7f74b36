"""The HTTP API: a Starlette app that needs no BentoML around it."""

import asyncio
import gc
import os
import platform
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bento.about import health, livez, metrics, models, openapi, readyz
from bento.books import Exchanges
from bento.draining import drain_on_sigterm
from bento.logs import log_error, log_rest, log_warning
from bento.membership import join
from bento.metrics import Metrics
from bento.package import PackageError
from bento.pages import page_routes
from bento.predictions import predict, predict_batch
from bento.problems import Guard, answer_http_error
from bento.registry import RegistryError, Resolved
from bento.reload import reload
from bento.rundir import RunDirectoryError
from bento.settings import Settings, misspelt
from bento.state import AppState

_COLLECTOR = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_TELL_EVERY_S = 1.0
_GC_THRESHOLDS = (50_000, 20, 20)  # collections are pauses; the defaults make them far too frequent

_PREDICTIONS = {"/predict": predict, "/predict/batch": predict_batch}
_ROUTES = [
    *(Route(path, endpoint, methods=["POST"]) for path, endpoint in _PREDICTIONS.items()),
    Route("/reload", reload, methods=["POST"]),
    Route("/models", models),
    Route("/health", health),
    Route("/livez", livez),
    Route("/readyz", readyz),
    Route("/metrics", metrics),
    Route("/openapi.json", openapi),
]


def create_app(settings: Settings, find_model: Callable[[], Resolved]) -> Starlette:
    """Make the app; its lifespan loads the model, warms it up, and drains at the end.

    Args:
        settings: The server's.
        find_model: Says where the package lies; called once, at start.
    """
    counters = Metrics()
    state = AppState(settings, counters)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        counters.set("valence_build_info", 1, state.build, platform.python_version())
        counters.set("valence_worker_start_time_seconds", time.time())
        if settings.log_texts:
            log_warning(
                "texts_are_logged", why="VALENCE_LOG_TEXTS is set; unset it, and the log is free of them"
            )
        for wrong, meant in misspelt().items():
            log_warning("setting_is_unknown", name=wrong, why=f"nothing reads it; {meant} is a setting")
        async with AsyncExitStack() as stack:
            _trace(state, stack)
            stack.callback(log_rest)
            stack.callback(state.tell)
            stack.callback(asyncio.create_task(_keep_telling(state)).cancel)
            try:
                await stack.enter_async_context(join(state, find_model))
            except (PackageError, RegistryError, RunDirectoryError) as error:
                state.refused = True
                log_error("the model is refused; this server will not become ready", why=str(error))
            else:
                _quieten_gc()
                drain_on_sigterm(state)
            yield

    routes = [*_ROUTES, *page_routes()]
    app = Starlette(
        routes=routes,
        middleware=_middleware(state, frozenset(route.path for route in routes)),
        exception_handlers={HTTPException: answer_http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.valence = state
    return app


def _middleware(state: AppState, routes: frozenset[str]) -> list[Middleware]:
    cross_origin = Middleware(
        CORSMiddleware,
        allow_origins=state.settings.cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["content-type", "traceparent", "x-request-id", "x-request-timeout-ms"],
        expose_headers=["retry-after", "server-timing", "x-model-version", "x-request-id"],
    )
    return [
        Middleware(Exchanges, books=state.books, routes=routes, is_draining=lambda: state.draining),
        *([cross_origin] if state.settings.cors_origins else []),
        Middleware(Guard),
        Middleware(_Shortcut),
    ]


class _Shortcut:
    """ASGI middleware that hands predictions to their endpoints without a search for their routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        predicts = scope["type"] == "http" and scope["method"] == "POST"
        app = _PREDICTIONS.get(scope["path"], self._app) if predicts else self._app
        await app(scope, receive, send)


def _trace(state: AppState, stack: AsyncExitStack) -> None:
    """Trace predictions until the stack unwinds, if a collector is named."""
    if any(map(os.environ.get, _COLLECTOR)):
        from bento.tracing import Tracer  # what traces nothing saves its time and memory

        tracer = Tracer(frozenset(_PREDICTIONS), version=state.build)
        state.books.trace = tracer.trace
        stack.push_async_callback(tracer.close)


async def _keep_telling(state: AppState) -> None:
    """Write the metrics for whichever worker is asked; one with nothing to do must not show old load."""
    while True:
        state.tell()
        await asyncio.sleep(_TELL_EVERY_S)


def _quieten_gc() -> None:
    """What was loaded stays, so it need not be looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
