"""What the handlers of one process share."""

import time
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.types import Scope

from bento.exchange import Exchange
from bento.logs import log_event
from bento.metrics import Metrics
from bento.problems import ProblemError
from bento.serving import Serving
from bento.settings import Settings


@dataclass
class Server:
    """The settings, the counters and, while the server is ready, the model that answers.

    Attributes:
        refused: Its model must not be served, so it will never be ready.
        leaving: It still answers, but nobody should begin to ask it.
    """

    settings: Settings
    metrics: Metrics
    serving: Serving | None = None
    build: str = "source"
    leaving: bool = False
    refused: bool = False
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, scope: Scope) -> "Server":
        """Return the server that this ASGI scope's request reached."""
        server: Server = scope["app"].state.server
        return server

    async def close(self) -> None:
        """Take nothing more, finish what was taken."""
        serving, self.serving = self.serving, None
        if serving is not None:
            await serving.close()
            log_event("drained")


def ready(scope: Scope) -> tuple[Server, Serving]:
    """Return the server and its model.

    Raises:
        ProblemError: 503, it is starting or going.
    """
    server = Server.of(scope)
    if server.serving is None:
        raise unavailable()
    Exchange.of(scope).model_version = server.serving.version
    return server, server.serving


def unavailable() -> ProblemError:
    """Return the error of a server that is starting or going."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the server is starting or shutting down; try again",
        headers={"retry-after": "1"},
        reason="not_ready",
    )
