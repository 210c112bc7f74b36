import json
from typing import Any

import pytest

from tests.load.answers import find_fault, is_refusal

HEADERS = {"x-model-version": "3"}
GOOD = {"sentiment": "positive", "scores": {"negative": 0.1, "neutral": 0.2, "positive": 0.7}}


def fault(answer: Any, texts: int = 1) -> str | None:  # noqa: ANN401
    return find_fault(200, HEADERS, json.dumps(answer).encode(), texts)


def test_right_answers_have_no_fault() -> None:
    assert fault(GOOD) is None
    assert fault({"predictions": [GOOD, GOOD]}, texts=2) is None


@pytest.mark.parametrize(
    ("answer", "texts", "found"),
    [
        (GOOD | {"sentiment": "negative"}, 1, "the sentiment is not the label with the highest score"),
        (GOOD | {"sentiment": "angry"}, 1, "the sentiment is not the label with the highest score"),
        (GOOD | {"scores": {"positive": 0.7}}, 1, "the scores do not add up to 1"),
        ({"predictions": [GOOD]}, 2, "not as many predictions as texts"),
        (GOOD, 2, "not a prediction"),
        ([], 1, "not a prediction"),
        (GOOD | {"scores": None}, 1, "not a prediction"),
        (GOOD | {"scores": {"positive": "0.7"}}, 1, "not a prediction"),
    ],
)
def test_a_wrong_answer_is_told_from_a_right_one(answer: object, texts: int, found: str) -> None:
    assert fault(answer, texts) == found


@pytest.mark.parametrize(
    ("status", "headers", "body", "found"),
    [
        (0, {}, b"", "no answer"),
        (500, HEADERS, b"{}", "status 500"),
        (429, HEADERS | {"retry-after": "1"}, b"{}", "status 429"),
        (200, {}, json.dumps(GOOD).encode(), "no X-Model-Version"),
        (200, HEADERS, b"<html>", "not a prediction"),
    ],
)
def test_what_is_no_answer_says_what_it_is(
    status: int, headers: dict[str, str], body: bytes, found: str
) -> None:
    assert find_fault(status, headers, body, 1) == found


@pytest.mark.parametrize(
    ("status", "headers", "refusal"),
    [
        (429, {"retry-after": "1"}, True),
        (429, {}, False),
        (504, {}, True),
        (503, {"retry-after": "1"}, False),
        (500, {}, False),
        (200, {}, False),
        (0, {}, False),
    ],
)
def test_a_refusal_is_429_that_says_when_to_come_again_or_504(
    status: int, headers: dict[str, str], *, refusal: bool
) -> None:
    assert is_refusal(status, headers) is refusal
