"""What a right answer looks like."""

import json
from collections.abc import Mapping
from typing import Any

_TOO_MANY_REQUESTS = 429
_REFUSALS = frozenset({_TOO_MANY_REQUESTS, 504})
_SUM_WITHIN = 0.01


def is_refusal(status: int, headers: Mapping[str, str]) -> bool:
    """Say whether a server with too much to do declined as it should: 504, or 429 with when to come again."""
    return status in _REFUSALS and (status != _TOO_MANY_REQUESTS or "retry-after" in headers)


def find_fault(status: int, headers: Mapping[str, str], body: bytes, texts: int) -> str | None:
    """Return what is wrong with the answer to so many texts, in words that many answers share."""
    if status == 0:
        return "no answer"
    if status != 200:
        return f"status {status}"
    if not headers.get("x-model-version"):
        return "no X-Model-Version"
    try:
        answer = json.loads(body)
        predictions = [answer] if texts == 1 else answer["predictions"]
        return _find_fault_in(predictions, texts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return "not a prediction"


def _find_fault_in(predictions: list[dict[str, Any]], texts: int) -> str | None:
    if len(predictions) != texts:
        return "not as many predictions as texts"
    for one in predictions:
        scores = one["scores"]
        if one["sentiment"] not in scores or scores[one["sentiment"]] != max(scores.values()):
            return "the sentiment is not the label with the highest score"
        if abs(sum(scores.values()) - 1) > _SUM_WITHIN:
            return "the scores do not add up to 1"
    return None
