"""What the handlers of one process share."""

import time
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.requests import Request

from bento.exchange import Exchange
from bento.metrics import Metrics
from bento.problems import ProblemError
from bento.serving import Serving
from bento.settings import Settings


@dataclass
class Server:
    """The settings, the counters and, while the server is ready, the model that answers."""

    settings: Settings
    metrics: Metrics
    serving: Serving | None = None
    build: str = "source"
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, request: Request) -> "Server":
        """Return the server that this request reached."""
        server: Server = request.app.state.server
        return server


def ready(request: Request) -> tuple[Server, Serving]:
    """Return the server and its model.

    Raises:
        ProblemError: 503, it is starting or going.
    """
    server = Server.of(request)
    if server.serving is None:
        raise unavailable()
    Exchange.of(request.scope).model_version = server.serving.version
    return server, server.serving


def unavailable() -> ProblemError:
    """Return the error of a server that is starting or going."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the server is starting or shutting down; try again",
        headers={"retry-after": "1"},
        reason="not_ready",
    )
