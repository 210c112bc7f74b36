"""What is written down of a request when its answer is out: metrics, a trace, a log line."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.exchange import CLIENT_LEFT, Exchange
from bento.logs import log_request
from bento.metrics import UNMATCHED, Metrics

_CONTENT = 3_000  # characters of JSON, so that the line of a request with texts still leaves in one piece
_LONGEST_ESCAPED = 12  # characters of JSON for one of a text
_CUT = "…"


@dataclass(slots=True)
class Books:
    """Those of one process.

    Attributes:
        trace: Makes the spans of a request that took so many seconds; None where nobody collects them.
    """

    metrics: Metrics
    trace: Callable[[Exchange, str, int, float], None] | None = None

    def close(self, exchange: Exchange, route: str, code: int) -> None:
        """Count, trace and log that a request was answered, or that its caller left."""
        duration_s = time.perf_counter() - exchange.started
        status = str(code)
        self.metrics.count("valence_requests_total", route, status)
        self.metrics.observe("valence_request_duration_seconds", duration_s, route, status)
        if exchange.rejected:
            self.metrics.count("valence_rejected_total", exchange.rejected)
        if self.trace is not None:
            self.trace(exchange, route, code, duration_s)
        content = {"content": list(_bounded(exchange.content))} if exchange.content else {}
        log_request(
            route=route,
            code=code,
            latency_ms=round(duration_s * 1e3, 3),
            texts=exchange.texts,
            model_version=exchange.model_version,
            request_id=exchange.request_id,
            trace_id=exchange.trace_id,
            **content,
        )


class Exchanges:
    """ASGI middleware, outermost: begins an exchange, adds its headers, closes its books."""

    def __init__(
        self, app: ASGIApp, *, books: Books, routes: frozenset[str], is_draining: Callable[[], bool]
    ) -> None:
        self._app = app
        self._books = books
        self._is_draining = is_draining
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange.begin(scope)
        code = CLIENT_LEFT

        async def add_headers(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                message["headers"] = [*message.get("headers", ()), *exchange.answer_headers()]
                if self._is_draining():
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            await self._app(scope, receive, add_headers)
        finally:
            path = scope["path"]
            self._books.close(exchange, path if path in self._routes else UNMATCHED, code)


def _bounded(texts: Sequence[str]) -> Iterator[str]:
    """Yield as much of the texts as a line has room for."""
    left = _CONTENT
    for text in texts:
        size = len(json.dumps(text)) + 2  # and what stands between two
        if size > left:
            yield text[: left // _LONGEST_ESCAPED] + _CUT
            return
        left -= size
        yield text
