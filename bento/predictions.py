"""`POST /predict` and `POST /predict/batch`."""

import asyncio
import math
import re
from collections.abc import Coroutine, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bento.body import read_json
from bento.exchange import CLIENT_LEFT, Exchange
from bento.logs import log_failure
from bento.problems import ProblemError, refuse_field
from bento.schemas import BatchAnswer, BatchRequest, FieldError, Model, PredictAnswer, PredictRequest
from bento.server import ready, unavailable
from bento.serving import Answer, Serving, TextRefusedError
from bento.work import DeadlineError, DrainingError, QueueFullError, ScoringError

MOST_TIMEOUT_MS = 3_600_000

_TIMEOUT = "x-request-timeout-ms"
_MILLISECONDS = re.compile(r"[0-9]{1,7}")

T = TypeVar("T")


async def predict(request: Request) -> Response:
    """Judge one text."""
    server, serving = ready(request)
    exchange = Exchange.of(request.scope)
    deadline = _read_deadline(request, exchange.started)
    body = await read_json(request, PredictRequest, server.settings.max_body_bytes)
    server.metrics.observe("valence_request_texts", 1)
    answer, model = await _answer(request, serving, [body.text], "text", deadline)
    return _json(one_answer(answer, model, latency_ms=exchange.latency_ms()))


async def predict_batch(request: Request) -> Response:
    """Judge several texts."""
    server, serving = ready(request)
    exchange = Exchange.of(request.scope)
    deadline = _read_deadline(request, exchange.started)
    body = await read_json(request, BatchRequest, server.settings.max_body_bytes)
    allowed = server.settings.max_batch_texts
    if len(body.texts) > allowed:
        raise refuse_field("texts", f"has {len(body.texts)} texts, at most {allowed} are allowed")
    server.metrics.observe("valence_request_texts", len(body.texts))
    answer, model = await _answer(request, serving, body.texts, "texts[{}]", deadline)
    return _json(BatchAnswer(model=model, latency_ms=exchange.latency_ms(), predictions=answer.predictions))


def one_answer(answer: Answer, model: Model, *, latency_ms: float) -> PredictAnswer:
    """Put the answer for a single text together."""
    return PredictAnswer(**dict(answer.predictions[0]), model=model, latency_ms=latency_ms)


async def answer_left(_: Request, __: Exception) -> Response:
    """Close the books on a caller who left; nobody reads this."""
    return Response(status_code=CLIENT_LEFT)


async def _answer(
    request: Request, serving: Serving, texts: Sequence[str], field: str, deadline: float
) -> tuple[Answer, Model]:
    exchange = Exchange.of(request.scope)
    exchange.texts = len(texts)
    try:
        answer = await _unless_left(request, serving.predict(texts, deadline=deadline))
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
        _, newer = ready(request)
        if newer is serving:
            raise unavailable() from None
        return await _answer(request, newer, texts, field, deadline)  # the model was changed meanwhile
    exchange.timings_s = answer.timings_s
    return answer, serving.model


def _read_deadline(request: Request, started: float) -> float:
    """Return when the caller stops waiting, by `time.perf_counter`."""
    timeout_ms = request.headers.get(_TIMEOUT)
    if timeout_ms is None:
        return math.inf
    if not _MILLISECONDS.fullmatch(timeout_ms) or not 1 <= int(timeout_ms) <= MOST_TIMEOUT_MS:
        raise refuse_field("X-Request-Timeout-Ms", f"is not a whole number from 1 to {MOST_TIMEOUT_MS}")
    return started + int(timeout_ms) / 1e3


async def _unless_left(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do the work, but give it up when the caller leaves."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")
