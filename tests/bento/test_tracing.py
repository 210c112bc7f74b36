"""Traces, as a collector gets them by OTLP over HTTP; and that nothing else of a request is told."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.testclient import TestClient

from bento.package import Package, read_package

if TYPE_CHECKING:
    from tests.bento.conftest import LiveServer, MakeApp, Serve

ROOT = Path(__file__).resolve().parents[2]
STAGES = ["admit", "tokenise", "queue", "infer"]
OPINION = "zxqv-my-own-opinion"
TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}


@dataclass
class Collector:
    """An OTLP collector that keeps what it gets."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)

    def received(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.received()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def request(self, request_id: str) -> Span:
        (span,) = [
            span for span in self.spans if attributes(span.attributes).get("valence.request_id") == request_id
        ]
        return span

    def stages(self, request: Span) -> list[Span]:
        """Those of one request, by time."""
        stages = [span for span in self.spans if span.parent_span_id == request.span_id]
        return sorted(stages, key=lambda span: (span.start_time_unix_nano, STAGES.index(span.name)))


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            body = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """One that servers in this very process send to."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector


@dataclass(frozen=True)
class Observed:
    """What a server that has ended left of the requests that it got, by request id."""

    collector: Collector
    answers: dict[str, httpx.Response]
    log: str

    def line(self, request_id: str) -> dict[str, Any]:
        lines: list[dict[str, Any]] = [
            json.loads(line) for line in self.log.splitlines() if line.startswith("{")
        ]
        (line,) = [line for line in lines if line.get("request_id") == request_id]
        return line


def ask(http: httpx.Client) -> dict[str, httpx.Response]:
    answers: dict[str, httpx.Response] = {}

    def send(request_id: str, path: str, content: bytes, **headers: str) -> None:
        named = {"content-type": "application/json", "x-request-id": request_id} | headers
        answers[request_id] = http.post(path, content=content, headers=named)

    good = json.dumps({"text": f"good {OPINION}"}).encode()
    send("alone", "/predict", good)
    send("long", "/predict", json.dumps({"text": "good " * 2_000}).encode())
    send("sampled", "/predict", good, traceparent=f"00-{TRACE_ID}-{SPAN_ID}-01", tracestate=OPINION)
    send("unsampled", "/predict", good, traceparent=f"00-{TRACE_ID}-{SPAN_ID}-00")
    send("batch", "/predict/batch", json.dumps({"texts": ["good", OPINION]}).encode())
    send("broken", "/predict", OPINION.encode())
    send("empty", "/predict", b'{"text":"<p> </p>"}')
    send("misspelt", "/predict", json.dumps({"text": "good", OPINION: OPINION}).encode())
    send("nowhere", f"/{OPINION}?{OPINION}={OPINION}", good)
    send("asked", f"/predict?{OPINION}", good, traceparent=OPINION, authorization=OPINION, cookie=OPINION)
    send("mistyped", "/predict", good, **{"content-type": OPINION})
    send("hurried", "/predict", good, **{"x-request-timeout-ms": OPINION})
    http.post("/predict", content=good, headers={"x-request-id": f"{OPINION} {OPINION}"})
    http.request("OPTIONS", "/predict")
    http.get("/predict")
    http.get("/health")
    return answers


@pytest.fixture(scope="module", params=["serve_alone", "serve"])
def observed(request: pytest.FixtureRequest, package_dir: Path) -> Observed:
    """Of `python -m bento.serve`, which answers most of it directly, and of `bentoml serve`."""
    serve: Serve = request.getfixturevalue(request.param)
    with collecting() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "VALENCE_LOG_LEVEL": "debug"}
        with (
            serve(package_dir, VALENCE_MODEL_VERSION="7", **variables) as live,
            httpx.Client(base_url=live.url, timeout=30) as http,
        ):
            answers = ask(http)
        assert live.process.returncode == 0
    return Observed(collector, answers, live.log.read_text())


def test_a_prediction_is_a_span_with_one_for_each_stage(observed: Observed) -> None:
    """They follow one another without a gap, and agree with what the answer said of itself."""
    for request_id in ("alone", "long", "sampled", "batch"):
        span = observed.collector.request(request_id)
        stages = observed.collector.stages(span)
        assert [stage.name for stage in stages] == STAGES
        assert span.kind == Span.SPAN_KIND_SERVER
        assert span.status.code == Status.STATUS_CODE_UNSET
        assert stages[0].start_time_unix_nano == span.start_time_unix_nano
        assert stages[-1].end_time_unix_nano <= span.end_time_unix_nano
        for stage, following in pairwise(stages):
            assert stage.end_time_unix_nano == following.start_time_unix_nano
        said = {
            name: float(duration.removeprefix("dur="))
            for name, duration in (
                part.split(";") for part in observed.answers[request_id].headers["server-timing"].split(", ")
            )
        }
        for stage in stages[1:]:
            took_ms = (stage.end_time_unix_nano - stage.start_time_unix_nano) / 1e6
            assert took_ms == pytest.approx(said[stage.name], abs=0.002)


def test_it_says_what_was_asked_which_model_answered_and_who(observed: Observed, package_dir: Path) -> None:
    batch = observed.collector.request("batch")
    assert batch.name == "POST /predict/batch"
    assert attributes(batch.attributes) == {
        "http.request.method": "POST",
        "http.route": "/predict/batch",
        "http.response.status_code": 200,
        "valence.request_id": "batch",
        "valence.texts": 2,
        "valence.model.name": "valence-sentiment",
        "valence.model.version": "7",
        "valence.model.digest": read_package(package_dir).digest,
    }
    (resource,) = {
        json.dumps(attributes(one.resource.attributes), sort_keys=True)
        for request in observed.collector.received()
        for one in request.resource_spans
    }
    assert json.loads(resource)["service.name"] == "valence"
    assert json.loads(resource)["service.version"]


def test_it_belongs_to_its_callers_trace_as_does_its_line_in_the_log(observed: Observed) -> None:
    span = observed.collector.request("sampled")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, SPAN_ID)
    assert {stage.trace_id for stage in observed.collector.stages(span)} == {span.trace_id}
    assert observed.answers["sampled"].headers["traceparent"] == f"00-{TRACE_ID}-{SPAN_ID}-01"
    assert observed.line("sampled")["trace_id"] == TRACE_ID


def test_who_brings_no_trace_begins_one_that_is_in_the_log_too(observed: Observed) -> None:
    span = observed.collector.request("alone")
    assert span.parent_span_id == b""
    assert observed.line("alone")["trace_id"] == span.trace_id.hex()
    assert "traceparent" not in observed.answers["alone"].headers


def test_a_caller_who_is_not_sampled_is_not_traced(observed: Observed) -> None:
    assert observed.answers["unsampled"].status_code == 200
    assert observed.line("unsampled")["trace_id"] == TRACE_ID
    told = [attributes(span.attributes).get("valence.request_id") for span in observed.collector.spans]
    assert "unsampled" not in told


def test_nothing_but_predictions_is_traced(observed: Observed) -> None:
    names = {span.name for span in observed.collector.spans if span.kind == Span.SPAN_KIND_SERVER}
    assert names == {"POST /predict", "POST /predict/batch"}
    methods = [attributes(span.attributes).get("http.request.method") for span in observed.collector.spans]
    assert set(methods) == {"POST", None}


@pytest.mark.parametrize(
    ("request_id", "code", "stages", "rejected"),
    [
        ("broken", 400, ["admit"], "not_json"),
        ("mistyped", 415, ["admit"], "type"),
        ("hurried", 422, ["admit"], "invalid"),
        ("empty", 422, ["admit", "tokenise"], "invalid"),
    ],
)
def test_what_is_refused_has_the_stages_that_it_came_to(
    observed: Observed, request_id: str, code: int, stages: list[str], rejected: str
) -> None:
    span = observed.collector.request(request_id)
    told = attributes(span.attributes)
    assert (told["http.response.status_code"], told["valence.rejected"]) == (code, rejected)
    assert span.status.code == Status.STATUS_CODE_UNSET, "it is the caller's error"
    passed = observed.collector.stages(span)
    assert [stage.name for stage in passed] == stages
    assert passed[-1].end_time_unix_nano == span.end_time_unix_nano


def test_nothing_that_a_caller_sent_is_told_to_anybody(observed: Observed) -> None:
    assert len(observed.answers) > 10
    assert OPINION not in observed.log
    assert not any(OPINION.encode() in body for body in observed.collector.bodies)


@pytest.mark.parametrize("server", ["serve_alone", "serve"])
def test_texts_are_logged_where_the_setting_says_so(
    request: pytest.FixtureRequest, package_dir: Path, server: str
) -> None:
    serve: Serve = request.getfixturevalue(server)
    with (
        serve(package_dir, VALENCE_LOG_TEXTS="true") as live,
        httpx.Client(base_url=live.url, timeout=30) as http,
    ):
        http.post("/predict", json={"text": OPINION}, headers={"x-request-id": "one"})
        http.post("/predict/batch", json={"texts": ["good", "é"]}, headers={"x-request-id": "two"})
    lines = [json.loads(line) for line in live.log.read_text().splitlines() if line.startswith("{")]
    assert {line["request_id"]: line["content"] for line in lines if "content" in line} == {
        "one": [OPINION],
        "two": ["good", "é"],
    }
    (warning,) = [line for line in lines if line["event"] == "texts_are_logged"]
    assert warning["level"] == "warning"


def test_a_failure_of_the_server_is_an_error(
    tmp_path: Path, make_package: Callable[..., Package], make_app: "MakeApp", collector: Collector
) -> None:
    package = make_package(tmp_path / "package", poison=["arsenic"]).path
    with TestClient(make_app(package)) as client:
        answer = client.post("/predict", json={"text": "arsenic"}, headers={"x-request-id": "failed"})
    assert answer.status_code == 500
    span = collector.request("failed")
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert attributes(span.attributes)["error.type"] == "500"
    assert [stage.name for stage in collector.stages(span)] == STAGES


def test_opentelemetrys_variables_say_who_is_sampled_and_what_the_service_is_called(
    package_dir: Path, make_app: "MakeApp", collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "moods")
    with TestClient(make_app(package_dir)) as client:
        for _ in range(20):
            client.post("/predict", json={"text": "good"})
        traceparent = f"00-{TRACE_ID}-{SPAN_ID}-01"
        client.post("/predict", json={"text": "good"}, headers={"traceparent": traceparent})
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE_ID}
    (request,) = collector.received()
    assert attributes(request.resource_spans[0].resource.attributes)["service.name"] == "moods"


def test_without_a_collector_nothing_of_opentelemetry_is_even_loaded(package_dir: Path) -> None:
    code = (
        "import sys, bento.serve\n"
        "from pathlib import Path\n"
        "from starlette.testclient import TestClient\n"
        "from bento.api import create_app\n"
        "from bento.registry import Resolved\n"
        "from bento.settings import Settings\n"
        "app = create_app(Settings(), lambda: Resolved(Path(sys.argv[1]), None))\n"
        "with TestClient(app) as client:\n"
        "    assert client.post('/predict', json={'text': 'good'}).status_code == 200\n"
        "print(*[name for name in sys.modules if name.startswith('opentelemetry')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, package_dir], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stderr == "\n"


def test_a_collector_that_is_away_costs_no_request_and_one_line(
    serve_alone: "Serve", package_dir: Path
) -> None:
    """More spans than wait for a collector, sent as soon as they are made."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        live = serve_unheard(serve_alone, package_dir, nobody, requests=600)
    lines = [json.loads(line) for line in live.log.read_text().splitlines()]
    (complaint,) = [line for line in lines if line.get("logger", "").startswith("opentelemetry")]
    assert complaint["level"] == "warning"
    assert "refused" in complaint["event"]


def test_a_collector_that_never_answers_does_not_keep_a_server_that_leaves(
    serve_alone: "Serve", package_dir: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        serve_unheard(serve_alone, package_dir, silent, requests=1)


def serve_unheard(serve: "Serve", package: Path, collector: socket.socket, requests: int) -> "LiveServer":
    """Have requests answered by a server that would wait an hour for its collector, and end it."""
    host, port = collector.getsockname()
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{host}:{port}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3600",
        "OTEL_BSP_SCHEDULE_DELAY": "1",
    }
    with serve(package, **variables) as live, httpx.Client(base_url=live.url, timeout=30) as http:
        codes = {http.post("/predict", json={"text": "good"}).status_code for _ in range(requests)}
    assert codes == {200}
    assert live.process.returncode == 0
    assert "Traceback" not in live.log.read_text()
    return live
