"""What the API answers, and what it says of itself."""

import gc
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import Message

from bento.package import Certainty, Package, read_package, write_package
from bento.settings import Settings

MakeApp = Callable[..., Starlette]

ROOT = Path(__file__).resolve().parents[2]
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_predict_answers_one_text(client: TestClient, package_dir: Path) -> None:
    answer = client.post("/predict", json={"text": "The film was FANTASTIC"})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {
        "id",
        "sentiment",
        "confidence",
        "scores",
        "certain",
        "truncated",
        "model",
        "latency_ms",
    }
    assert body["sentiment"] == "positive"
    assert list(body["scores"]) == ["negative", "neutral", "positive"]
    assert sum(body["scores"].values()) == pytest.approx(1, abs=1e-5)
    assert body["confidence"] == body["scores"]["positive"] > 0.98
    assert body["truncated"] is False
    digest = read_package(package_dir).digest
    assert body["model"] == {"name": "valence-sentiment", "version": None, "digest": digest}
    assert 0 < body["latency_ms"] < 10_000


def test_ids_are_uuids_of_version_7_and_sort_by_time(client: TestClient) -> None:
    before = time.time_ns() // 1_000_000
    ids = [uuid.UUID(client.post("/predict", json={"text": "good"}).json()["id"]) for _ in range(3)]
    after = time.time_ns() // 1_000_000
    assert {one.version for one in ids} == {7}
    assert {one.variant for one in ids} == {uuid.RFC_4122}
    assert len(set(ids)) == 3
    assert all(before <= one.int >> 80 <= after for one in ids)


def test_a_batch_is_answered_in_order(client: TestClient) -> None:
    texts = ["good", "awful film", "the table", *["bad " * 30, "fantastic"] * 20]
    body = client.post("/predict/batch", json={"texts": texts}).json()
    assert set(body) == {"model", "latency_ms", "predictions"}
    sentiments = [one["sentiment"] for one in body["predictions"]]
    assert sentiments == ["positive", "negative", "neutral", *["negative", "positive"] * 20]
    assert set(body["predictions"][0]) == {"id", "sentiment", "confidence", "scores", "certain", "truncated"}


def test_certain_is_what_is_at_least_as_confident_as_the_package_asks(client: TestClient) -> None:
    texts = ["good", "fantastic", "the film", "awful film"]
    predictions = client.post("/predict/batch", json={"texts": texts}).json()["predictions"]
    assert [one["certain"] for one in predictions] == [False, True, False, True]
    assert client.post("/predict", json={"text": "fantastic"}).json()["certain"] is True


def test_a_package_that_promises_nothing_makes_nothing_certain(
    make_package: Callable[..., Package], make_app: MakeApp, tmp_path: Path
) -> None:
    package = make_package(tmp_path / "package")
    manifest = package.manifest.model_copy(update={"certainty": Certainty()})
    write_package(package.path, manifest, tokenizer=package.tokenizer, graph=package.graph)
    with TestClient(make_app(package.path)) as client:
        body = client.post("/predict", json={"text": "fantastic fantastic"}).json()
    assert (body["certain"], body["confidence"] > 0.999) == (False, True)


def test_a_batch_says_of_each_text_what_it_says_of_it_alone(client: TestClient) -> None:
    texts = ["good", "bad table", "the film was awful and nothing else was said about it at all"]
    batch = client.post("/predict/batch", json={"texts": texts}).json()["predictions"]
    for text, one in zip(texts, batch, strict=True):
        assert client.post("/predict", json={"text": text}).json()["scores"] == pytest.approx(one["scores"])


def test_a_model_of_two_labels_scores_two(two_label_package_dir: Path, make_app: MakeApp) -> None:
    with TestClient(make_app(two_label_package_dir)) as client:
        body = client.post("/predict", json={"text": "bad"}).json()
    assert list(body["scores"]) == ["negative", "positive"]
    assert body["sentiment"] == "negative"


def test_the_version_bound_from_outside_is_shown(package_dir: Path, make_app: MakeApp) -> None:
    with TestClient(make_app(package_dir, model_version="7")) as client:
        answer = client.post("/predict", json={"text": "good"})
    assert answer.json()["model"]["version"] == "7"
    assert answer.headers["x-model-version"] == "7"


def test_without_a_version_the_header_has_the_digest(client: TestClient, package_dir: Path) -> None:
    digest = read_package(package_dir).digest.removeprefix("sha256:")
    assert digest.startswith(client.post("/predict", json={"text": "good"}).headers["x-model-version"])


def test_server_timing_says_where_the_time_went(client: TestClient) -> None:
    timing = client.post("/predict", json={"text": "good"}).headers["server-timing"]
    assert re.fullmatch(r"queue;dur=[\d.]+, tokenise;dur=[\d.]+, infer;dur=[\d.]+", timing)


def test_a_request_id_comes_back(client: TestClient) -> None:
    answer = client.get("/livez", headers={"x-request-id": "shop-42.a_B"})
    assert answer.headers["x-request-id"] == "shop-42.a_B"


@pytest.mark.parametrize("given", [None, "", "a" * 129, "two words", 'quo"te', "<b>", "caf\xe9"])
def test_a_request_id_that_is_unfit_is_replaced(client: TestClient, given: str | None) -> None:
    headers = {} if given is None else {"x-request-id": given.encode("latin-1")}
    made = client.get("/livez", headers=headers).headers["x-request-id"]  # type: ignore[arg-type]
    assert uuid.UUID(made).version == 7


def test_a_trace_is_passed_on(client: TestClient) -> None:
    assert client.get("/livez", headers={"traceparent": TRACEPARENT}).headers["traceparent"] == TRACEPARENT


@pytest.mark.parametrize("given", ["x", TRACEPARENT.replace("00-", "ff-", 1), f"00-{'0' * 32}-{'1' * 16}-01"])
def test_a_trace_that_is_none_is_ignored(client: TestClient, given: str) -> None:
    assert "traceparent" not in client.get("/livez", headers={"traceparent": given}).headers


def test_health_is_for_people(client: TestClient, package_dir: Path) -> None:
    body = client.get("/health").json()
    assert body["model"]["digest"] == read_package(package_dir).digest
    assert body["labels"] == ["negative", "neutral", "positive"]
    assert body["queue"]["texts"] == 0
    assert body["queue"]["lanes"] >= 1
    assert 0 <= body["capacity"]["used_ratio"] < 1
    assert body["capacity"]["headroom_texts_per_s"] > 0
    assert body["uptime_s"] > 0


def test_models_says_what_is_served_where_no_registry_is(
    package_dir: Path, make_app: MakeApp, tmp_path: Path
) -> None:
    with TestClient(make_app(package_dir, registry=f"sqlite:///{tmp_path}/none.db")) as client:
        body = client.get("/models").json()
    assert body["serving"]["name"] == "valence-sentiment"
    assert body["metrics"] == {"macro_f1": 0.75, "accuracy": 0.8}
    assert body["versions"] is None


def test_before_the_model_is_there_only_liveness_is_given(package_dir: Path, make_app: MakeApp) -> None:
    client = TestClient(make_app(package_dir))  # its lifespan has not begun
    assert client.get("/livez").status_code == 200
    for method, path in (("GET", "/readyz"), ("GET", "/health"), ("GET", "/models"), ("POST", "/predict")):
        answer = client.request(method, path)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "wrong", [{"model_digest": "sha256:" + "0" * 64}, {"package": Path("/nowhere")}], ids=["digest", "path"]
)
def test_a_package_that_is_refused_is_never_served(
    package_dir: Path, make_app: MakeApp, wrong: dict[str, object]
) -> None:
    with TestClient(make_app(**{"package": package_dir, **wrong})) as client:
        assert client.get("/readyz").status_code == 503
        assert client.post("/predict", json={"text": "good"}).status_code == 503


def test_cors_is_off_by_default(client: TestClient) -> None:
    answer = client.get("/health", headers={"origin": "https://shop.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_cors_admits_the_origins_that_are_set(package_dir: Path, make_app: MakeApp) -> None:
    with TestClient(make_app(package_dir, cors_origins=("https://shop.example",))) as client:
        preflight = client.options(
            "/predict",
            headers={
                "origin": "https://shop.example",
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type",
            },
        )
        other = client.get("/health", headers={"origin": "https://other.example"})
        wrong = client.post("/predict", headers={"origin": "https://shop.example"}, content=b"{")
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in other.headers
    assert wrong.headers["access-control-allow-origin"] == "https://shop.example"


def test_what_was_loaded_is_out_of_the_garbage_collectors_sight(package_dir: Path, make_app: MakeApp) -> None:
    gc.unfreeze()  # what other tests have left
    with TestClient(make_app(package_dir)):
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] > 10_000


def test_every_setting_of_the_service_has_a_default() -> None:
    assert Settings()


def test_who_leaves_is_booked_as_such(client: TestClient) -> None:
    """The connection ends right after the body, so the answer is given up."""
    events: Iterator[Message] = iter(
        [
            {"type": "http.request", "body": b'{"text": "good"}', "more_body": False},
            {"type": "http.disconnect"},
        ]
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return next(events)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)
    assert sent[0]["status"] == 499
    assert 'valence_requests_total{code="499",route="/predict"}' in client.get("/metrics").text


@pytest.mark.parametrize(
    "given",
    [
        f"{TRACEPARENT}-more",
        f"{TRACEPARENT}-",
        TRACEPARENT.replace("00-", "01-", 1) + "-" + "x" * 73,
        TRACEPARENT.replace("00-", "01-", 1) + "more",
        TRACEPARENT.replace("00-", "01-", 1) + "-" + "x" * 30_000,
    ],
    ids=["tail", "dash", "129 characters", "no dash", "30 KB"],
)
def test_a_trace_with_a_tail_that_it_must_not_have_is_ignored(client: TestClient, given: str) -> None:
    assert "traceparent" not in client.get("/livez", headers={"traceparent": given}).headers


@pytest.mark.parametrize("tail", ["", "-", "-" + "x" * 72])
def test_a_trace_of_a_later_version_may_have_a_tail(client: TestClient, tail: str) -> None:
    later = TRACEPARENT.replace("00-", "01-", 1) + tail
    assert client.get("/livez", headers={"traceparent": later}).headers["traceparent"] == later


def test_a_package_whose_graph_fails_is_never_served(
    make_package: Callable[..., Package], make_app: MakeApp, tmp_path: Path
) -> None:
    """Its first canary has a word that the graph does not know."""
    package = make_package(tmp_path / "package", poison=["zzz"])
    first, *others = package.manifest.canaries
    canaries = (first.model_copy(update={"text": "zzz"}), *others)
    manifest = package.manifest.model_copy(update={"canaries": canaries})
    bad = write_package(tmp_path / "bad", manifest, tokenizer=package.tokenizer, graph=package.graph)
    with TestClient(make_app(bad.path)) as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 503


def test_the_documentation_has_all_that_it_loads(client: TestClient) -> None:
    loaded = re.findall(r'(?:src|href)="(static/[^"]+)"', client.get("/docs").text)
    assert set(loaded) == {"static/swagger-ui.css", "static/swagger-ui-bundle.js", "static/docs.js"}
    for path in loaded:
        answer = client.get(f"/{path}")
        assert answer.status_code == 200, path
        kind = "text/css" if path.endswith(".css") else "text/javascript"
        assert answer.headers["content-type"] == f"{kind}; charset=utf-8", path
        assert answer.content


def test_without_swagger_ui_the_server_does_not_start(tmp_path: Path) -> None:
    """In a process that finds another BentoML, which brings none."""
    (tmp_path / "bentoml").mkdir()
    (tmp_path / "bentoml/__init__.py").touch()
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import bento.pages; bento.pages.page_routes()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "swagger-ui.css: missing; install the version of BentoML" in done.stderr
