"""`POST /predict` and `POST /predict/batch`: ASGI endpoints, with nothing between them and the server."""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import TypeAdapter
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from bento.body import read_json
from bento.exchange import Exchange
from bento.logs import log_failure
from bento.problems import ProblemError, refuse_field
from bento.schemas import BatchRequest, FieldError, Prediction, PredictRequest
from bento.server import Server, ready, unavailable
from bento.serving import Answer, Serving, TextRefusedError
from bento.work import DeadlineError, DrainingError, QueueFullError, ScoringError

MOST_TIMEOUT_MS = 3_600_000

_TIMEOUT = b"x-request-timeout-ms"
_MILLISECONDS = re.compile(rb"[0-9]{1,7}")
_PREDICTIONS = TypeAdapter(list[Prediction])

T = TypeVar("T")


@dataclass(frozen=True)
class Endpoint:
    """An ASGI endpoint around a function that returns its answer's JSON, or raises a `ProblemError`."""

    answer: Callable[[Scope, Receive], Awaitable[bytes]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await self.answer(scope, receive)
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _predict(scope: Scope, receive: Receive) -> bytes:
    """Judge one text."""
    server, _ = ready(scope)
    deadline = _read_deadline(scope)
    body = await read_json(scope, receive, PredictRequest, server.settings.max_body_bytes)
    answer, serving = await _answer(server, scope, receive, [body.text], "text", deadline)
    return write_one(answer, serving.model_json, latency_ms=Exchange.of(scope).latency_ms())


async def _predict_batch(scope: Scope, receive: Receive) -> bytes:
    """Judge several texts."""
    server, _ = ready(scope)
    deadline = _read_deadline(scope)
    body = await read_json(scope, receive, BatchRequest, server.settings.max_body_bytes)
    allowed = server.settings.max_batch_texts
    if len(body.texts) > allowed:
        raise refuse_field("texts", f"has {len(body.texts)} texts, at most {allowed} are allowed")
    answer, serving = await _answer(server, scope, receive, body.texts, "texts[{}]", deadline)
    return write_batch(answer, serving.model_json, latency_ms=Exchange.of(scope).latency_ms())


predict = Endpoint(_predict)
predict_batch = Endpoint(_predict_batch)


def write_one(answer: Answer, model_json: str, *, latency_ms: float) -> bytes:
    """Write a `PredictAnswer`; putting its written parts together takes half the time of making one."""
    prediction = answer.predictions[0].model_dump_json().removesuffix("}")
    return f'{prediction},"model":{model_json},"latency_ms":{latency_ms}}}'.encode()


def write_batch(answer: Answer, model_json: str, *, latency_ms: float) -> bytes:
    """Write a `BatchAnswer`, as `write_one` does."""
    predictions = _PREDICTIONS.dump_json(answer.predictions).decode()
    return f'{{"model":{model_json},"latency_ms":{latency_ms},"predictions":{predictions}}}'.encode()


async def _answer(
    server: Server, scope: Scope, receive: Receive, texts: Sequence[str], field: str, deadline: float
) -> tuple[Answer, Serving]:
    exchange = Exchange.of(scope)
    exchange.texts = len(texts)
    server.metrics.observe("valence_request_texts", len(texts))
    try:
        answer, serving = await _unless_left(receive, _predict_with_current(scope, texts, deadline))
    except TextRefusedError as refused:
        raise refuse_field(field.format(refused.index), refused.reason) from None
    except QueueFullError as full:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "more is waiting than can be answered in time; try again later",
            headers={"retry-after": str(math.ceil(full.retry_after_s))},
            reason="queue_full",
        ) from None
    except DeadlineError:
        raise ProblemError(
            HTTPStatus.GATEWAY_TIMEOUT,
            "the answer was not there within X-Request-Timeout-Ms",
            reason="deadline",
        ) from None
    except ScoringError as failed:
        log_failure(exchange.request_id, failed.__cause__ or failed)
        raise ProblemError(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "the model failed on a text; the server's log has more under this request id",
            errors=[FieldError(field=field.format(failed.index), reason="the model failed on it")],
        ) from None
    except DrainingError:
        raise unavailable() from None
    exchange.timings_s = answer.timings_s
    return answer, serving


async def _predict_with_current(
    scope: Scope, texts: Sequence[str], deadline: float
) -> tuple[Answer, Serving]:
    """Judge texts with the model that serves, and with its successor where it is retired meanwhile."""
    while True:
        _, serving = ready(scope)
        try:
            return await serving.predict(texts, deadline=deadline), serving
        except DrainingError:
            if ready(scope)[1] is serving:
                raise


def _read_deadline(scope: Scope) -> float:
    """Return when the caller stops waiting, by `time.perf_counter`."""
    exchange = Exchange.of(scope)
    timeout_ms = exchange.headers.get(_TIMEOUT)
    if timeout_ms is None:
        return math.inf
    if not _MILLISECONDS.fullmatch(timeout_ms) or not 1 <= int(timeout_ms) <= MOST_TIMEOUT_MS:
        raise refuse_field("X-Request-Timeout-Ms", f"is not a whole number from 1 to {MOST_TIMEOUT_MS}")
    return exchange.started + int(timeout_ms) / 1e3


async def _unless_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Do the work in this very task, but give it up when the caller leaves."""
    working = asyncio.current_task()
    assert working is not None  # noqa: S101 - this is a coroutine
    left = over = False

    def give_up(leaving: asyncio.Task[None]) -> None:
        nonlocal left
        if not over and not leaving.cancelled():
            left = True
            working.cancel()

    leaving = asyncio.create_task(_disconnect(receive))
    leaving.add_done_callback(give_up)
    try:
        return await work
    except asyncio.CancelledError:
        if left and not working.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        over = True
        leaving.cancel()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
