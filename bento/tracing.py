"""Traces of predictions, sent by OTLP over HTTP to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names.

The spans of a request are made when its answer is out, of the times that its exchange kept, and a thread
sends them. OpenTelemetry's other variables hold too: who is sampled, headers, certificates, the queue's size.
"""

import asyncio
import threading
import time

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    format_trace_id,
    set_span_in_context,
)

from bento.exchange import Exchange

_FLUSH_S = 3  # what is not sent by then is lost; within the margin of the chart's grace period
_NS = 1_000_000_000


class Tracer:
    """Makes the spans of requests, and sends them; its thread begins with it, so make it after any fork."""

    def __init__(self, routes: frozenset[str], *, version: str) -> None:
        """Begin.

        Args:
            routes: What is traced, if it is asked for by POST.
            version: The code's, to be shown.
        """
        named = Resource.create({"service.name": "valence", "service.version": version})
        self._provider = TracerProvider(
            resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("valence", version)
        self._routes = routes

    def trace(self, exchange: Exchange, route: str, code: int, duration_s: float) -> None:
        """Make the spans of a request that has just ended, if it is sampled, and note its trace's id.

        Args:
            exchange: The request's.
            route: What it asked for.
            code: What it was answered with.
            duration_s: How long that took.
        """
        if exchange.method != "POST" or route not in self._routes:
            return
        ended_ns = time.time_ns()
        started_ns = ended_ns - round(duration_s * _NS)
        span = self._tracer.start_span(
            f"POST {route}",
            _parent(exchange.traceparent),
            SpanKind.SERVER,
            start_time=started_ns,
        )
        if not span.is_recording():
            return
        span.set_attributes(_attributes(exchange, route, code))
        exchange.trace_id = format_trace_id(span.get_span_context().trace_id)
        within = set_span_in_context(span, Context())
        for name, began, ended in exchange.stages(exchange.started + duration_s):
            stage = self._tracer.start_span(
                name, within, start_time=started_ns + round((began - exchange.started) * _NS)
            )
            stage.end(started_ns + round((ended - exchange.started) * _NS))
        if code >= 500:
            span.set_status(StatusCode.ERROR)
        span.end(ended_ns)

    async def close(self) -> None:
        """Send what is left, as far as that is quick."""
        flushing = threading.Thread(target=self._provider.shutdown, daemon=True)
        flushing.start()
        await asyncio.to_thread(flushing.join, _FLUSH_S)


def _parent(traceparent: str | None) -> Context:
    """Return the caller's span, if there is one.

    Its header was checked before. OpenTelemetry's own reader would also take `tracestate`, and log what of it
    is not well-formed: what a caller sent.
    """
    if traceparent is None:
        return Context()
    _, trace_id, span_id, flags = traceparent[:55].split("-")
    caller = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return set_span_in_context(NonRecordingSpan(caller), Context())


def _attributes(exchange: Exchange, route: str, code: int) -> dict[str, str | int]:
    """Return what is known of a request.

    The model is the request's and not the resource's, as it may be changed while the server runs.
    """
    attributes: dict[str, str | int] = {
        "http.request.method": exchange.method,
        "http.route": route,
        "http.response.status_code": code,
        "valence.request_id": exchange.request_id,
        "valence.texts": exchange.texts,
    }
    if exchange.model is not None:
        attributes["valence.model.name"] = exchange.model.name
        attributes["valence.model.digest"] = exchange.model.digest
        if exchange.model.version is not None:
            attributes["valence.model.version"] = exchange.model.version
    if exchange.rejected is not None:
        attributes["valence.rejected"] = exchange.rejected
    if code >= 500:
        attributes["error.type"] = str(code)
    return attributes
