"""What predictions are answered with: their deadline, their JSON, and the problems that they can end in."""

import math
import re
from collections.abc import Iterable
from http import HTTPStatus

from bento.exchange import Exchange
from bento.logs import log_failure
from bento.model import TextRefusedError
from bento.problems import ProblemError, refuse_field
from bento.schemas import FieldError
from bento.state import unavailable
from bento.work import DeadlineError, DrainingError, QueueFullError, ScoringError

JSON_TYPE = (b"content-type", b"application/json")
MOST_TIMEOUT_MS = 3_600_000

_TIMEOUT = b"x-request-timeout-ms"
_MILLISECONDS = re.compile(rb"[0-9]{1,7}")


def read_deadline(exchange: Exchange) -> float:
    """Return when the caller stops waiting, by `time.perf_counter`.

    Raises:
        ProblemError: 422, the header is wrong.
    """
    timeout_ms = exchange.headers.get(_TIMEOUT)
    if timeout_ms is None:
        return math.inf
    timeout_ms = timeout_ms.rstrip(b" \t")  # no part of a header's value (RFC 9110), but the parser leaves it
    if not _MILLISECONDS.fullmatch(timeout_ms) or not 1 <= int(timeout_ms) <= MOST_TIMEOUT_MS:
        raise refuse_field("X-Request-Timeout-Ms", f"is not a whole number from 1 to {MOST_TIMEOUT_MS}")
    return exchange.started + int(timeout_ms) / 1e3


def write_one(prediction: str, model_json: str, *, latency_ms: float) -> bytes:
    """Write a `PredictAnswer`."""
    return f'{prediction.removesuffix("}")},"model":{model_json},"latency_ms":{latency_ms}}}'.encode()


def write_batch(predictions: Iterable[str], model_json: str, *, latency_ms: float) -> bytes:
    """Write a `BatchAnswer`."""
    written = ",".join(predictions)
    return f'{{"model":{model_json},"latency_ms":{latency_ms},"predictions":[{written}]}}'.encode()


def problem(error: Exception, exchange: Exchange, field: str) -> Exception:
    """Return the problem that a prediction's error is to its caller; any other error comes back as it is.

    Args:
        error: Whatever `LoadedModel.predict` raises.
        exchange: The request's.
        field: Where its texts stand, with a place for the index.
    """
    match error:
        case TextRefusedError():
            return refuse_field(field.format(error.index), error.reason)
        case QueueFullError():
            return ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "more is waiting than can be answered in time; try again later",
                headers={"retry-after": str(math.ceil(error.retry_after_s))},
                reason="queue_full",
            )
        case DeadlineError():
            return ProblemError(
                HTTPStatus.GATEWAY_TIMEOUT,
                "the answer was not there within X-Request-Timeout-Ms",
                reason="deadline",
            )
        case ScoringError():
            log_failure(exchange.request_id, error.__cause__ or error)
            return ProblemError(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "the model failed on a text; the server's log has more under this request id",
                errors=[FieldError(field=field.format(error.index), reason="the model failed on it")],
            )
        case DrainingError():
            return unavailable()
        case _:
            return error
