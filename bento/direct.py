"""`POST /predict` with nothing between the protocol and the runner: no route, no task, no coroutine.

That is for one short text; everything else is for `bento.api`. Both put their answers together from the same
parts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Scope

from bento.body import parse_json, require_json
from bento.exchange import CLIENT_LEFT, Exchange, record
from bento.model import INLINE_CHARS, Answer, LoadedModel
from bento.predictions import JSON_TYPE, problem, read_deadline, write_one
from bento.problems import explain
from bento.protocol import Headers, Reply
from bento.schemas import PredictRequest
from bento.state import AppState, ready

_ROUTE = "/predict"


@dataclass(frozen=True)
class Direct:
    """What `bento.protocol` answers requests with where it can."""

    state: AppState

    def takes(self, scope: Scope) -> bool:
        """Tell by a request's head whether it is answered here: that says how short its body is."""
        if scope["path"] != _ROUTE or scope["method"] != "POST":
            return False
        longest = min(INLINE_CHARS, self.state.settings.max_body_bytes)
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        return len(lengths) == 1 and len(lengths[0]) < 5 and int(lengths[0]) <= longest

    def answer(self, scope: Scope, body: bytes, reply: Reply) -> Callable[[], None]:
        """Answer a request, sooner or later.

        Returns:
            What is to be called where the caller leaves.
        """
        call = _Call(self.state, Exchange.begin(scope), reply)
        call.begin(body)
        return call.disconnect


@dataclass(slots=True)
class _Call:
    state: AppState
    exchange: Exchange
    reply: Reply
    withdraw: Callable[[], None] | None = None
    over: bool = False

    def begin(self, body: bytes) -> None:
        try:
            serving = ready(self.state, self.exchange)
            deadline = read_deadline(self.exchange)
            require_json(self.exchange.headers)
            text = parse_json(body, PredictRequest).text
            self.exchange.texts = 1
            self.state.metrics.observe("valence_request_texts", 1)
            self.withdraw = serving.begin(text, lambda result: self.end(serving, result), deadline=deadline)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self.refuse(error)

    def end(self, serving: LoadedModel, result: Callable[[], Answer]) -> None:
        if self.over:
            return
        try:
            answer = result()
            self.exchange.timings_s = answer.timings_s
            body = write_one(answer, serving.model_json, latency_ms=self.exchange.latency_ms())
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self.refuse(error)
        else:
            self.close(200, [(b"content-length", b"%d" % len(body)), JSON_TYPE], body)

    def disconnect(self) -> None:
        if not self.over and self.withdraw is not None:
            self.over = True
            self.withdraw()
            self.record(CLIENT_LEFT)

    def refuse(self, error: Exception) -> None:
        response = explain(self.exchange, problem(error, self.exchange, "text"))
        self.close(response.status_code, response.raw_headers, bytes(response.body))

    def close(self, code: int, headers: Headers, body: bytes) -> None:
        self.over = True
        headers = [*headers, *self.exchange.answer_headers()]
        if self.state.draining:
            headers.append((b"connection", b"close"))
        self.reply(code, headers, body)
        self.record(code)

    def record(self, code: int) -> None:
        record(self.exchange, self.state.metrics, _ROUTE, code)
