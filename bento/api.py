"""The HTTP API: a Starlette app that needs no BentoML around it."""

import gc
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from bento.about import health, livez, metrics, models, openapi, readyz
from bento.exchange import Exchanges
from bento.logs import log_error
from bento.membership import join
from bento.metrics import Metrics
from bento.package import PackageError
from bento.pages import page_routes
from bento.predictions import answer_left, predict, predict_batch
from bento.problems import Guard, ProblemError, answer_http_error, answer_problem
from bento.registry import RegistryError, Resolved
from bento.reload import reload
from bento.rundir import RunDirectoryError
from bento.server import Server
from bento.settings import Settings

_GC_THRESHOLDS = (50_000, 20, 20)  # collections are pauses; the defaults make them far too frequent

_ROUTES = [
    Route("/predict", predict, methods=["POST"]),
    Route("/predict/batch", predict_batch, methods=["POST"]),
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
    server = Server(settings, counters)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        counters.set("valence_build_info", 1, server.build, platform.python_version())
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(join(server, find_model))
            except (PackageError, RegistryError, RunDirectoryError) as error:
                log_error("the model is refused; this server will not become ready", why=str(error))
            else:
                _quieten_gc()
            yield

    routes = [*_ROUTES, *page_routes()]
    app = Starlette(
        routes=routes,
        middleware=_middleware(settings, counters, frozenset(route.path for route in routes)),
        exception_handlers={
            ProblemError: answer_problem,
            HTTPException: answer_http_error,
            ClientDisconnect: answer_left,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.server = server
    return app


def _middleware(settings: Settings, counters: Metrics, routes: frozenset[str]) -> list[Middleware]:
    cross_origin = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["content-type", "traceparent", "x-request-id", "x-request-timeout-ms"],
        expose_headers=["retry-after", "server-timing", "x-model-version", "x-request-id"],
    )
    return [
        Middleware(Exchanges, metrics=counters, routes=routes),
        *([cross_origin] if settings.cors_origins else []),
        Middleware(Guard),
    ]


def _quieten_gc() -> None:
    """What was loaded stays, so it need not be looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
