"""`POST /predict` and `POST /predict/batch`: ASGI endpoints, with nothing between them and the server."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from bento.answers import JSON_TYPE, problem, read_deadline, write_batch, write_one
from bento.body import read_json
from bento.exchange import Exchange
from bento.model import LoadedModel, TextRefusedError
from bento.problems import refuse_field
from bento.schemas import BatchRequest, PredictRequest
from bento.state import AppState, note_texts, ready
from bento.work import DeadlineError, DrainingError, QueueFullError, ScoringError

_NO_ANSWER = (TextRefusedError, QueueFullError, DeadlineError, ScoringError, DrainingError)

T = TypeVar("T")


@dataclass(frozen=True)
class Endpoint:
    """An ASGI endpoint around a function that returns its answer's JSON, or raises a `ProblemError`."""

    answer: Callable[[Scope, Receive], Awaitable[bytes]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await self.answer(scope, receive)
        headers = [(b"content-length", b"%d" % len(body)), JSON_TYPE]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _predict(scope: Scope, receive: Receive) -> bytes:
    """Judge one text."""
    state, exchange = AppState.of(scope), Exchange.of(scope)
    ready(state, exchange)
    deadline = read_deadline(exchange)
    body = await read_json(scope, receive, PredictRequest, state.settings.max_body_bytes)
    (prediction,), serving = await _answer(state, scope, receive, [body.text], "text", deadline)
    return write_one(prediction, serving.model_json, latency_ms=exchange.latency_ms())


async def _predict_batch(scope: Scope, receive: Receive) -> bytes:
    """Judge several texts."""
    state, exchange = AppState.of(scope), Exchange.of(scope)
    ready(state, exchange)
    deadline = read_deadline(exchange)
    body = await read_json(scope, receive, BatchRequest, state.settings.max_body_bytes)
    allowed = state.settings.max_batch_texts
    if len(body.texts) > allowed:
        raise refuse_field("texts", f"has {len(body.texts)} texts, at most {allowed} are allowed")
    predictions, serving = await _answer(state, scope, receive, body.texts, "texts[{}]", deadline)
    return write_batch(predictions, serving.model_json, latency_ms=exchange.latency_ms())


predict = Endpoint(_predict)
predict_batch = Endpoint(_predict_batch)


async def _answer(
    state: AppState, scope: Scope, receive: Receive, texts: Sequence[str], field: str, deadline: float
) -> tuple[list[str], LoadedModel]:
    exchange = Exchange.of(scope)
    note_texts(state, exchange, texts)
    try:
        return await _unless_disconnected(receive, _predict_with_current(state, exchange, texts, deadline))
    except _NO_ANSWER as error:
        raise problem(error, exchange, field) from None


async def _predict_with_current(
    state: AppState, exchange: Exchange, texts: Sequence[str], deadline: float
) -> tuple[list[str], LoadedModel]:
    """Judge texts with the model that serves, and with its successor where it is retired meanwhile."""
    while True:
        serving = ready(state, exchange)
        exchange.marks.clear()
        try:
            return await serving.predict(texts, deadline=deadline, marks=exchange.marks), serving
        except DrainingError:
            if ready(state, exchange) is serving:
                raise


async def _unless_disconnected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Do the work in this very task, but give it up when the caller leaves."""
    working = asyncio.current_task()
    assert working is not None  # noqa: S101 - this is a coroutine
    disconnected = over = False

    def give_up(watching: asyncio.Task[None]) -> None:
        nonlocal disconnected
        if not over and not watching.cancelled():
            disconnected = True
            working.cancel()

    watching = asyncio.create_task(_disconnect(receive))
    watching.add_done_callback(give_up)
    try:
        return await work
    except asyncio.CancelledError:
        if disconnected and not working.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        over = True
        watching.cancel()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
