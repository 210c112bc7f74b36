"""`POST /predict` with nothing between the protocol and the runner: no route, no task, no coroutine.

That is for one short text; everything else is for `bento.api`. Both put their answers together from the same
parts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Scope

from bento.answers import JSON_TYPE, problem, read_deadline, write_one
from bento.body import parse_json, require_json
from bento.exchange import CLIENT_LEFT, Exchange
from bento.model import INLINE_CHARS, LoadedModel
from bento.problems import explain
from bento.protocol import Headers, Reply
from bento.schemas import PredictRequest
from bento.state import AppState, note_texts, ready

_ROUTE = "/predict"


@dataclass(frozen=True)
class DirectHandler:
    """A `protocol.Handler`: takes predictions whose head says that their body is short."""

    state: AppState

    def take(self, scope: Scope) -> "_Call | None":
        """Begin a request, or leave it to ASGI."""
        if scope["path"] != _ROUTE or scope["method"] != "POST":
            return None
        longest = min(INLINE_CHARS, self.state.settings.max_body_bytes)
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if len(lengths) != 1 or len(lengths[0]) > 4 or int(lengths[0]) > longest:
            return None
        return _Call(self.state, Exchange.begin(scope))


@dataclass(slots=True)
class _Call:
    """A `protocol.Call`."""

    state: AppState
    exchange: Exchange
    reply: Reply | None = None
    withdraw: Callable[[], None] | None = None
    over: bool = False

    def answer(self, body: bytes, reply: Reply) -> None:
        self.reply = reply
        try:
            model = ready(self.state, self.exchange)
            deadline = read_deadline(self.exchange)
            require_json(self.exchange.headers)
            text = parse_json(body, PredictRequest).text
            note_texts(self.state, self.exchange, (text,))
            self.withdraw = model.begin(
                text, lambda result: self._end(model, result), deadline=deadline, marks=self.exchange.marks
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self._refuse(error)

    def disconnect(self) -> None:
        if not self.over:
            if self.withdraw is not None:
                self.withdraw()
            self._close(CLIENT_LEFT)

    def _end(self, model: LoadedModel, result: Callable[[], list[str]]) -> None:
        if self.over:
            return
        try:
            (prediction,) = result()
            body = write_one(prediction, model.model_json, latency_ms=self.exchange.latency_ms())
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            self._refuse(error)
        else:
            self._send(200, [(b"content-length", b"%d" % len(body)), JSON_TYPE], body)

    def _refuse(self, error: Exception) -> None:
        response = explain(self.exchange, problem(error, self.exchange, "text"))
        self._send(response.status_code, response.raw_headers, bytes(response.body))

    def _send(self, code: int, headers: Headers, body: bytes) -> None:
        headers = [*headers, *self.exchange.answer_headers()]
        if self.state.draining:
            headers.append((b"connection", b"close"))
        sent = self.reply is not None and self.reply(code, headers, body)
        self._close(code if sent else CLIENT_LEFT)

    def _close(self, code: int) -> None:
        """Close the books, and let go of the model, which may have been changed when the next call comes."""
        self.over = True
        self.reply = self.withdraw = None
        self.state.books.close(self.exchange, _ROUTE, code)
