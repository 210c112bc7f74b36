"""The real `bentoml serve`, over real HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bento.package import Package, write_package

if TYPE_CHECKING:
    from tests.bento.conftest import LiveServer, Serve

ROOT = Path(__file__).resolve().parents[2]
JSON = {"content-type": "application/json"}
OPINION = "zxqv-my-own-opinion"


@pytest.fixture(scope="module")
def http(live_server: "LiveServer") -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live_server.url, timeout=30) as client:
        yield client


def connect(live: "LiveServer") -> socket.socket:
    host, port = live.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def log_lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_predict_and_batch_answer(http: httpx.Client) -> None:
    assert http.post("/predict", json={"text": "fantastic"}).json()["sentiment"] == "positive"
    batch = http.post("/predict/batch", json={"texts": ["bad", "table"]}).json()
    assert [one["sentiment"] for one in batch["predictions"]] == ["negative", "neutral"]


def test_bentomls_own_client_works(live_server: "LiveServer") -> None:
    """In a process of its own, as importing and leaving it warns of much."""
    code = (
        "import bentoml, json, sys\n"
        "with bentoml.SyncHTTPClient(sys.argv[1]) as client:\n"
        "    print(json.dumps(client.predict(text='awful film')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, live_server.url], capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    assert answer["sentiment"] == "negative"
    assert answer["model"]["name"] == "valence-sentiment"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/models", "/metrics", "/openapi.json"])
def test_everything_else_answers_too(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 200


def test_metrics_are_ours_and_count(http: httpx.Client) -> None:
    http.post("/predict", json={"text": "fantastic"})
    lines = http.get("/metrics").text.splitlines()
    (count,) = (
        line for line in lines if line.startswith('valence_requests_total{code="200",route="/predict"}')
    )
    assert float(count.split()[-1]) >= 1
    assert not any(line.startswith("bentoml_") for line in lines)


@pytest.mark.parametrize("path", ["/healthz", "/docs.json", "/nothing", "/static_content/swagger-ui.css"])
def test_nothing_of_bentomls_shows(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/predict", b"{", 400),
        ("/predict", b'{"text": "\\udfff"}', 400),
        ("/predict", b'{"text": "\xff"}', 400),
        ("/predict", b'{"text": "a\x00b"}', 400),
        ("/predict", b'{"text": "\\u0000"}', 422),
        ("/predict", b'{"text": 5}', 422),
        ("/predict", b'{"txt": "good"}', 422),
        ("/predict", json.dumps({"text": OPINION, "more": 1}).encode(), 422),
        ("/predict", json.dumps({"text": OPINION + "x" * 2_000_000}).encode(), 413),
        ("/predict/batch", json.dumps({"texts": ["good"] * 257}).encode(), 422),
        ("/predict/batch", json.dumps({"texts": [OPINION, " "]}).encode(), 422),
    ],
)
def test_bad_input_gets_a_problem(http: httpx.Client, path: str, content: bytes, status: int) -> None:
    answer = http.post(path, content=content, headers=JSON)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert OPINION not in answer.text


def test_a_length_that_lies_helps_nobody(live_server: "LiveServer") -> None:
    """Chunks are counted as they arrive; what is declared too large is refused unread."""
    with connect(live_server) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 99999999999\r\n\r\n{"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_the_log_has_a_line_for_a_request_and_never_a_text(
    live_server: "LiveServer", http: httpx.Client
) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"x-request-id": "log-test", "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    http.post("/predict/batch", json={"texts": [OPINION, "good"]}, headers=headers)
    http.post("/predict", json={"text": "good", OPINION: 1})
    http.post(f"/{OPINION}", json={"text": "good"})
    (line,) = [one for one in log_lines(live_server.log) if one.get("request_id") == "log-test"]
    assert line["event"] == "request"
    assert (line["route"], line["code"], line["texts"]) == ("/predict/batch", 200, 2)
    assert line["trace_id"] == trace_id
    assert line["latency_ms"] > 0
    assert line["model_version"]
    assert OPINION not in live_server.log.read_text()


def test_probes_are_not_logged(live_server: "LiveServer", http: httpx.Client) -> None:
    """A line is written once its answer is out, and before the next request of the connection is read."""
    for path in ("/livez", "/health", "/livez"):
        http.get(path)
    routes = [line.get("route") for line in log_lines(live_server.log)]
    assert "/health" in routes
    assert "/livez" not in routes


def test_sigterm_answers_who_is_in_flight_and_exits_with_0(serve: "Serve", package_dir: Path) -> None:
    """`100 Continue` says that the request is being read, the end of an idle connection that it is over."""
    body = b'{"text": "good"}'
    with serve(package_dir) as live, connect(live) as idle, connect(live) as busy:
        idle.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
        busy.sendall(
            b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(body)
        )
        assert busy.recv(4096).startswith(b"HTTP/1.1 100 ")
        live.process.send_signal(signal.SIGTERM)
        while idle.recv(4096):
            pass
        busy.sendall(body)
        answer = b"".join(iter(lambda: busy.recv(4096), b""))
        assert live.process.wait(30) == 0
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"sentiment":"positive"' in answer
    assert "drained" in [line["event"] for line in log_lines(live.log)]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"VALENCE_MODEL": "/nowhere"}, "/nowhere: no model package there"),
        ({"VALENCE_LANES": "many"}, "VALENCE_LANES: "),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(
    tmp_path: Path, package_dir: Path, environment: dict[str, str], message: str
) -> None:
    assert_refused(tmp_path, {"VALENCE_MODEL": str(package_dir)} | environment, message)


def test_a_package_that_does_not_compute_is_refused_before_any_worker_starts(
    tmp_path: Path, make_package: Callable[..., Package]
) -> None:
    """The tokenizer knows a word for which the graph has no weights, and a canary holds it."""
    package = make_package(tmp_path / "package", poison=["zzz"])
    first, *others = package.manifest.canaries
    canaries = (first.model_copy(update={"text": "zzz"}), *others)
    manifest = package.manifest.model_copy(update={"canaries": canaries})
    bad = write_package(tmp_path / "bad", manifest, tokenizer=package.tokenizer, graph=package.graph).path
    assert_refused(tmp_path, {"VALENCE_MODEL": str(bad)}, f"{bad}: model.onnx fails: ")


def assert_refused(home: Path, environment: dict[str, str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bentoml", "serve", "bento.service:Valence", "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert message in line
    assert "Traceback" not in done.stdout + done.stderr
