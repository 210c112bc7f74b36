"""One request and its answer: its id and trace, its times, its headers."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from starlette.types import Scope

from bento.ids import uuid7
from bento.schemas import Model

CLIENT_LEFT = 499

_STAGES = ("admit", "tokenise", "queue", "infer")

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
        started: When its head arrived; as all times, by `time.perf_counter`.
        model: What answers it.
        texts: How many it has.
        content: The texts themselves, only where `VALENCE_LOG_TEXTS` says that they are logged.
        marks: When each of its stages ended, as far as it came: `admit` (until its texts are read and may
            join), `tokenise`, `queue` (until a lane takes the first text), `infer`.
    """

    method: str
    request_id: str
    traceparent: str | None
    trace_id: str | None
    headers: dict[bytes, bytes]
    started: float = field(default_factory=time.perf_counter)
    model_version: str | None = None
    model: Model | None = None
    texts: int = 0
    content: Sequence[str] = ()
    marks: list[float] = field(default_factory=list)
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
            scope["method"],
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
        if len(self.marks) == len(_STAGES):
            admitted, tokenised, taken, scored = self.marks
            timings = b"queue;dur=%.3f, tokenise;dur=%.3f, infer;dur=%.3f" % (
                (taken - tokenised) * 1e3,
                (tokenised - admitted) * 1e3,
                (scored - taken) * 1e3,
            )
            pairs.append((b"server-timing", timings))
        return pairs

    def stages(self, ended: float) -> Iterator[tuple[str, float, float]]:
        """Yield name, begin and end of each stage that it came to; one that did not end ended with it."""
        return zip(_STAGES, (self.started, *self.marks), (*self.marks, ended), strict=False)
