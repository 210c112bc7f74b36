"""The description of the API: complete, stable, and true."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema
from starlette.testclient import TestClient

if TYPE_CHECKING:
    from tests.bento.conftest import LiveServer

SNAPSHOT = Path(__file__).with_name("openapi.json")
EXAMPLES = 60
DEADLINE = "X-Request-Timeout-Ms"
GETS = [path for path, item in json.loads(SNAPSHOT.read_text())["paths"].items() if "get" in item]


@pytest.fixture(scope="session")
def described(live_server: "LiveServer") -> OpenApiSchema:
    return schemathesis.openapi.from_url(f"{live_server.url}/openapi.json")


def test_the_api_is_the_one_that_was_agreed(client: TestClient) -> None:
    """Additive changes only; see the message."""
    found = client.get("/openapi.json").json()
    if os.environ.get("VALENCE_REFRESH") == "1":
        SNAPSHOT.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(SNAPSHOT.read_text()), (
        "the API changed; if that is meant and only adds: VALENCE_REFRESH=1 pytest tests/bento"
    )


def test_every_route_is_described(client: TestClient) -> None:
    described = set(client.get("/openapi.json").json()["paths"])
    routes = {route.path for route in client.app.routes}  # type: ignore[attr-defined]
    assert {path for path in routes if not path.startswith("/static/")} == described


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_post_is_answered_as_described(described: OpenApiSchema, path: str, mode: GenerationMode) -> None:
    """But for one check: no schema can say of which texts nothing is left, so some that fit are refused.

    Callers that are described wait long enough, as 504 is no error of the server's that is looked for here.
    """

    @settings(max_examples=EXAMPLES, derandomize=True, database=None)
    @given(case=described[path]["POST"].as_strategy(generation_mode=mode))
    def check(case: "schemathesis.Case[Any]") -> None:
        if mode is GenerationMode.POSITIVE and case.headers and DEADLINE in case.headers:
            case.headers[DEADLINE] = "60000"
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    check()


@pytest.mark.parametrize("path", GETS)
def test_a_get_is_answered_as_described(described: OpenApiSchema, path: str) -> None:
    described[path]["GET"].Case().call_and_validate()


REQUESTS = [
    *(("get", path, None, 200) for path in GETS),
    ("post", "/predict", {"text": "good"}, 200),
    ("post", "/predict/batch", {"texts": ["good", "bad"]}, 200),
    ("post", "/predict", {"text": 5}, 422),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), REQUESTS)
def test_an_answer_has_exactly_the_headers_that_are_described(
    client: TestClient, method: str, path: str, body: object, status: int
) -> None:
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    answer = client.request(method, path, json=body, headers=trace)
    assert answer.status_code == status
    responses = json.loads(SNAPSHOT.read_text())["paths"][path][method]["responses"]
    described = {name.lower() for name in responses[str(status)]["headers"]}
    ours = {"x-request-id", "traceparent", "x-model-version", "server-timing"}
    assert described <= set(answer.headers)
    assert status != 200 or set(answer.headers) & ours == described
