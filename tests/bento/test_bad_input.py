"""Every wrong request gets a problem that says what is wrong, and never repeats what was sent."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

MakeApp = Callable[..., Starlette]

JSON = {"content-type": "application/json"}
OPINION = "my-own-opinion"


def problem(answer: Any, status: int) -> dict[str, Any]:  # noqa: ANN401 - of either httpx
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(body)
    assert body["status"] == status
    assert body["instance"] == answer.headers["x-request-id"]
    assert OPINION not in answer.text
    return body


def fields(body: dict[str, Any]) -> list[str]:
    return [error["field"] for error in body["errors"]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"text=good",
        b'{"text": "good"} trailing',
        b'{"text": "\xff\xfe"}',
        b'\xef\xbb\xbf{"text": "good"}',
        b'{"text": "\\ud800"}',
        b'{"text": "a\x00b"}',
        b"[" * 100_000,
        '{"text": "good"}'.encode("utf-16"),
    ],
    ids=["empty", "cut", "form", "more", "utf-8", "bom", "surrogate", "raw NUL", "deep", "utf-16"],
)
def test_what_is_not_json_is_400(client: TestClient, body: bytes) -> None:
    detail = problem(client.post("/predict", content=body, headers=JSON), 400)["detail"]
    assert detail.startswith("not JSON")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        (None, "body"),
        (OPINION, "body"),
        ({}, "text"),
        ({"text": None}, "text"),
        ({"text": 1}, "text"),
        ({"text": [OPINION]}, "text"),
        ({"text": ""}, "text"),
        ({"text": "good", OPINION: 1}, "(unknown)"),
    ],
)
def test_what_has_the_wrong_shape_is_422_and_names_the_field(
    client: TestClient, body: object, field: str
) -> None:
    assert fields(problem(client.post("/predict", content=json.dumps(body), headers=JSON), 422)) == [field]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/predict", {"text": "good", OPINION: 1}, "which may have text"),
        ("/predict", {"texts": ["good"]}, "several texts go to POST /predict/batch"),
        ("/predict/batch", {"text": "good"}, "one text goes to POST /predict"),
    ],
)
def test_a_field_too_many_is_answered_with_those_there_are(
    client: TestClient, path: str, body: object, said: str
) -> None:
    assert said in problem(client.post(path, json=body), 422)["detail"]


@pytest.mark.parametrize("text", [" \t\n", "<br><br/>", "&nbsp;", "\u200b\ufeff", "\0\0"])
def test_a_text_of_which_nothing_is_left_is_422(client: TestClient, text: str) -> None:
    body = problem(client.post("/predict", json={"text": text}), 422)
    assert fields(body) == ["text"]
    assert "empty" in body["detail"]


def test_escaped_nul_bytes_count_as_white_space(client: TestClient) -> None:
    spaced = client.post("/predict", json={"text": "awful\0film"}).json()
    assert spaced["scores"] == client.post("/predict", json={"text": "awful film"}).json()["scores"]


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ("good", "texts"),
        ([], "texts"),
        (["good", 1, 2], "texts[1]"),
        (["good", ""], "texts[1]"),
        (["good", f"<{OPINION}>", "bad"], "texts[1]"),
        (["good"] * 257, "texts"),
    ],
    ids=["text", "none", "number", "empty", "markup", "257"],
)
def test_one_bad_text_fails_the_batch_with_its_index(client: TestClient, texts: object, field: str) -> None:
    assert fields(problem(client.post("/predict/batch", json={"texts": texts}), 422)) == [field]


def test_256_texts_are_a_batch(client: TestClient) -> None:
    assert len(client.post("/predict/batch", json={"texts": ["good"] * 256}).json()["predictions"]) == 256


def test_very_many_errors_are_counted_not_listed(client: TestClient) -> None:
    body = problem(client.post("/predict", json={str(number): 1 for number in range(50_000)}), 422)
    assert fields(body) == ["body"]
    assert "50001 errors" in body["detail"]


def test_a_long_text_is_truncated_and_that_is_said(package_dir: Path, make_app: MakeApp) -> None:
    with TestClient(make_app(package_dir, max_text_chars=8)) as client:
        body = client.post("/predict", json={"text": "awful   good"}).json()
        exact = client.post("/predict", json={"text": "awful ok"}).json()
    assert (body["sentiment"], body["truncated"]) == ("negative", True)
    assert exact["truncated"] is False


def test_a_text_of_many_tokens_is_truncated_and_that_is_said(client: TestClient) -> None:
    assert client.post("/predict", json={"text": "good " * 65}).json()["truncated"] is True
    assert client.post("/predict", json={"text": "good " * 64}).json()["truncated"] is False


def test_a_long_text_is_refused_where_that_is_set(package_dir: Path, make_app: MakeApp) -> None:
    with TestClient(make_app(package_dir, max_text_chars=8, long_texts="refuse")) as client:
        body = problem(client.post("/predict/batch", json={"texts": ["good", "awful   good"]}), 422)
    assert fields(body) == ["texts[1]"]
    assert "12 characters, at most 8" in body["detail"]


def test_a_body_of_2_mb_is_413(client: TestClient) -> None:
    problem(client.post("/predict", json={"text": "x" * 2_000_000}), 413)


def test_a_body_of_2_mb_without_a_length_is_413(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"text": "'
        for _ in range(200):
            yield b"x" * 10_000
        yield b'"}'

    problem(client.post("/predict", content=chunks(), headers=JSON), 413)


def test_the_limit_of_a_body_is_exact(package_dir: Path, make_app: MakeApp) -> None:
    body = json.dumps({"text": "good"}).encode()
    with TestClient(make_app(package_dir, max_body_bytes=len(body))) as client:
        assert client.post("/predict", content=body, headers=JSON).status_code == 200
        problem(client.post("/predict", content=body + b" ", headers=JSON), 413)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {**JSON, "content-encoding": "gzip"},
    ],
)
def test_what_is_not_declared_as_json_is_415(client: TestClient, headers: dict[str, str]) -> None:
    problem(client.post("/predict", content=b'{"text": "good"}', headers=headers), 415)


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=UTF-8", "Application/JSON", "application/vnd.shop+json"]
)
def test_every_kind_of_json_is_read(client: TestClient, media_type: str) -> None:
    answer = client.post("/predict", content=b'{"text": "good"}', headers={"content-type": media_type})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", {"POST"}), ("POST", "/health", {"GET", "HEAD"}), ("DELETE", "/", {"GET", "HEAD"})],
)
def test_a_method_that_is_not_meant_is_405(
    client: TestClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = client.request(method, path)
    detail = problem(answer, 405)["detail"]
    assert detail == f"this path takes {' or '.join(sorted(allowed))}; see /docs"
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/nothing", "/predict/", "/static/../service.py", "/healthz", "/docs.json"])
def test_a_path_that_is_not_there_is_404(client: TestClient, path: str) -> None:
    problem(client.get(path), 404)


def test_an_error_of_the_server_is_a_problem_without_its_inside(
    tmp_path: Path, make_package: Callable[..., Any], make_app: MakeApp
) -> None:
    package = make_package(tmp_path / "package", poison=["arsenic"]).path
    with TestClient(make_app(package)) as client:
        answer = client.post("/predict", json={"text": f"arsenic {OPINION}"})
        problem(answer, 500)
        assert "arsenic" not in answer.text
        assert "Traceback" not in answer.text
        assert client.post("/predict", json={"text": "good"}).status_code == 200


def test_a_queue_that_is_too_long_is_429(package_dir: Path, make_app: MakeApp) -> None:
    """With a budget of 1 ms, one text a batch and one lane, few of many that come together can be served."""
    app = make_app(package_dir, max_queue_ms=1, lanes=1, batch_tokens=1)
    text = {"text": "good " * 60}

    async def post_together() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://valence") as client,
        ):
            return await asyncio.gather(*(client.post("/predict", json=text) for _ in range(200)))

    answers = asyncio.run(post_together())
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) < 200
    for answer in refused:
        problem(answer, 429)
        assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("timeout", ["", "0", "-1", "1.5", "1e3", "soon", "3600001", "99999999999", "\u0661"])
def test_a_deadline_that_is_no_number_of_milliseconds_is_422(client: TestClient, timeout: str) -> None:
    headers = {"x-request-timeout-ms": timeout.encode()}
    answer = client.post("/predict", json={"text": OPINION}, headers=headers)  # type: ignore[arg-type]
    assert fields(problem(answer, 422)) == ["X-Request-Timeout-Ms"]


def test_white_space_is_no_part_of_a_deadline(client: TestClient) -> None:
    headers = {"x-request-timeout-ms": "60000 \t"}
    assert client.post("/predict", json={"text": "good"}, headers=headers).status_code == 200


def test_a_deadline_that_passes_is_504(package_dir: Path, make_app: MakeApp) -> None:
    """A thousandth of a second is not enough to tokenise this much."""
    with TestClient(make_app(package_dir)) as client:
        texts = {"texts": ["good " * 1_000] * 200}
        answer = client.post("/predict/batch", json=texts, headers={"x-request-timeout-ms": "1"})
        problem(answer, 504)
        scraped = client.get("/metrics").text
        assert 'valence_rejected_total{reason="deadline"} 1.0' in scraped
        ample = client.post("/predict", json={"text": "good"}, headers={"x-request-timeout-ms": "60000"})
        assert ample.status_code == 200


def test_the_text_that_the_model_fails_on_is_named(
    tmp_path: Path, make_package: Callable[..., Any], make_app: MakeApp
) -> None:
    package = make_package(tmp_path / "package", poison=["arsenic"]).path
    with TestClient(make_app(package)) as client:
        answer = client.post("/predict/batch", json={"texts": ["good", "bad", f"arsenic {OPINION}", "good"]})
        assert fields(problem(answer, 500)) == ["texts[2]"]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(body=st.binary(max_size=200))
def test_no_body_is_an_error_of_the_server(client: TestClient, body: bytes) -> None:
    assert client.post("/predict", content=body, headers=JSON).status_code in {200, 400, 422}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=st.text(max_size=200))
def test_every_text_is_judged_or_empty(client: TestClient, text: str) -> None:
    answer = client.post("/predict", content=json.dumps({"text": text}), headers=JSON)
    assert answer.status_code == 200 or "empty" in answer.text or "at least 1 character" in answer.text
