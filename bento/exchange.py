"""One request and its answer: its id and trace, its timings, its headers, its metrics, its log line."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.ids import uuid7
from bento.logs import log_request
from bento.metrics import UNMATCHED, Metrics

CLIENT_LEFT = 499

_KEY = "valence.exchange"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(  # version 00 has no tail; a later one may, up to 128 characters in all
    r"(?!ff)(?!00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.{0,72})?"
)


@dataclass(slots=True)
class Exchange:
    """What is known of a request while it is answered; whoever learns more writes it here.

    Attributes:
        headers: The request's, by name in lower case.
    """

    request_id: str
    traceparent: str | None
    trace_id: str | None
    headers: dict[bytes, bytes]
    started: float = field(default_factory=time.perf_counter)
    model_version: str | None = None
    texts: int = 0
    timings_s: dict[str, float] = field(default_factory=dict)
    rejected: str | None = None

    @classmethod
    def of(cls, scope: Scope) -> "Exchange":
        """Return the exchange that this ASGI scope belongs to."""
        exchange: Exchange = scope[_KEY]
        return exchange

    @classmethod
    def begin(cls, scope: Scope) -> Self:
        """Start one; a request id or a trace that is not well-formed is replaced or ignored."""
        headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id", b"").decode("latin-1")
        traceparent = headers.get(b"traceparent", b"").decode("latin-1")
        trace = _TRACEPARENT.fullmatch(traceparent)
        exchange = scope[_KEY] = cls(
            request_id if _REQUEST_ID.fullmatch(request_id) else uuid7(),
            traceparent if trace else None,
            trace[1] if trace else None,
            headers,
        )
        return exchange

    def latency_ms(self) -> float:
        """Return the milliseconds since the request's head arrived."""
        return round((time.perf_counter() - self.started) * 1e3, 3)

    def answer_headers(self) -> list[tuple[bytes, bytes]]:
        """Return what every answer carries."""
        pairs = [(b"x-request-id", self.request_id.encode())]
        if self.traceparent:
            pairs.append((b"traceparent", self.traceparent.encode()))
        if self.model_version:
            pairs.append((b"x-model-version", self.model_version.encode()))
        if self.timings_s:
            timings = ", ".join(f"{name};dur={value * 1e3:.3f}" for name, value in self.timings_s.items())
            pairs.append((b"server-timing", timings.encode()))
        return pairs


class Exchanges:
    """ASGI middleware, outermost: begins an exchange, adds its headers, counts and logs its end."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, routes: frozenset[str], is_draining: Callable[[], bool]
    ) -> None:
        self._app = app
        self._is_draining = is_draining
        self._metrics = metrics
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
            record(exchange, self._metrics, path if path in self._routes else UNMATCHED, code)


def record(exchange: Exchange, metrics: Metrics, route: str, code: int) -> None:
    """Count and log that a request was answered, or that its caller left."""
    duration_s = time.perf_counter() - exchange.started
    status = str(code)
    metrics.count("valence_requests_total", route, status)
    metrics.observe("valence_request_duration_seconds", duration_s, route, status)
    if exchange.rejected:
        metrics.count("valence_rejected_total", exchange.rejected)
    log_request(
        route=route,
        code=code,
        latency_ms=round(duration_s * 1e3, 3),
        texts=exchange.texts,
        model_version=exchange.model_version,
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
    )
