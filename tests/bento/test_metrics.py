"""What is counted: the dictionary of metrics, and that what happens arrives there."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import Message

from bento.metrics import METRICS, Metrics
from bento.package import read_package

MakeApp = Callable[..., Starlette]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


_QUEUE_WAIT = "valence_queue_wait_seconds"
_BOUNDS = METRICS[_QUEUE_WAIT].buckets


def samples_of(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(client: TestClient) -> Samples:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return samples_of(answer.text)


def value(samples: Samples, name: str, /, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


@pytest.mark.parametrize("name", METRICS)
def test_names_follow_the_conventions(name: str) -> None:
    spec = METRICS[name]
    assert name.startswith("valence_")
    assert name.endswith("_total") == (spec.kind == "counter")
    assert bool(spec.buckets) == (spec.kind == "histogram")
    assert list(spec.buckets) == sorted(set(spec.buckets))
    assert spec.help.endswith(".")


def test_the_bounds_of_the_objectives_are_buckets() -> None:
    assert {0.1, 0.3} <= set(METRICS["valence_request_duration_seconds"].buckets)


def test_a_prediction_is_counted(package_dir: Path, make_app: MakeApp) -> None:
    with TestClient(make_app(package_dir, model_version="3")) as client:
        before = scrape(client)
        client.post("/predict/batch", json={"texts": ["good", "the awful film", "bad"]})
        after = scrape(client)

    def grew(name: str, /, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grew("valence_requests_total", route="/predict/batch", code="200") == 1
    assert grew("valence_request_duration_seconds_count", route="/predict/batch", code="200") == 1
    assert grew("valence_request_texts_sum") == 3
    assert grew("valence_predictions_total", sentiment="negative", model_version="3") == 2
    assert grew("valence_predictions_total", sentiment="positive", model_version="3") == 1
    assert grew("valence_observed_total", feature="sentiment", bucket="negative", model_version="3") == 2
    assert grew("valence_observed_total", feature="confidence", bucket="+Inf", model_version="3") == 3
    assert grew("valence_observed_total", feature="input_tokens", bucket="8", model_version="3") == 3
    assert grew("valence_observed_total", feature="certain", bucket="true", model_version="3") == 1
    assert grew("valence_observed_total", feature="certain", bucket="false", model_version="3") == 2
    assert grew("valence_confidence_count") == 3
    assert grew("valence_input_tokens_sum") == 5
    assert grew("valence_batch_texts_sum") == 3
    assert grew("valence_batch_tokens_sum") == 9
    assert grew("valence_batch_padding_ratio_sum") == pytest.approx(4 / 9)
    assert grew("valence_queue_wait_seconds_count") == 3
    assert grew("valence_inference_seconds_count") == 1
    assert grew("valence_tokenise_seconds_count") == 1
    assert value(after, "valence_queue_texts") == 0
    assert value(after, "valence_capacity_used_ratio") > 0


def test_the_model_and_its_training_profile_are_told(client: TestClient, package_dir: Path) -> None:
    samples = scrape(client)
    digest = read_package(package_dir).digest
    info = {"name": "valence-sentiment", "version": "", "digest": digest, "family": "lexicon"}
    assert value(samples, "valence_model_info", **info) == 1
    version = digest.removeprefix("sha256:")[:12]  # as it has none, and two such models are two all the same

    def trained(feature: str, bucket: str) -> float:
        labels = {"feature": feature, "bucket": bucket, "model_version": version}
        return value(samples, "valence_reference_ratio", **labels)

    assert trained("confidence", "0.8") == 0.3
    assert trained("input_tokens", "+Inf") == 0.1
    assert trained("sentiment", "neutral") == pytest.approx(1 / 3)
    assert trained("certain", "true") == 0.4
    assert trained("certain", "false") == 0.6
    assert any(name == "valence_build_info" for name, _ in samples)


@pytest.mark.parametrize(
    ("body", "reason"), [(b"{", "not_json"), (b"{}", "invalid"), (b"x" * 2_000_000, "too_large")]
)
def test_rejections_are_counted_by_reason(client: TestClient, body: bytes, reason: str) -> None:
    before = value(scrape(client), "valence_rejected_total", reason=reason)
    client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert value(scrape(client), "valence_rejected_total", reason=reason) == before + 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(_BOUNDS), st.floats(0, 2 * _BOUNDS[-1])), max_size=50))
def test_what_is_written_at_once_is_what_prometheus_client_would_write_one_by_one(
    seconds: list[float],
) -> None:
    metrics, registry = Metrics(), CollectorRegistry()
    theirs = Histogram(_QUEUE_WAIT, METRICS[_QUEUE_WAIT].help, registry=registry, buckets=_BOUNDS)
    for value_s in seconds:
        metrics.observe(_QUEUE_WAIT, value_s)
        theirs.observe(value_s)
    metrics.flush()
    ours = samples_of(metrics.render().decode())
    for (name, labels), expected in samples_of(generate_latest(registry).decode()).items():
        if not name.endswith("_created"):
            assert ours[name, labels] == pytest.approx(expected)


def test_what_was_written_is_not_written_again() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.count("valence_rejected_total", "invalid")
        metrics.flush()
        metrics.flush()
    assert (
        samples_of(metrics.render().decode())["valence_rejected_total", frozenset({("reason", "invalid")})]
        == 2
    )


def test_unknown_paths_make_no_series(package_dir: Path, make_app: MakeApp) -> None:
    app = make_app(package_dir)

    async def get(path: str) -> None:
        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(_: Message) -> None:
            pass

        await app(scope, receive, send)

    async def get_many() -> None:
        for number in range(10_000):
            await get(f"/wp-admin/{number}")

    with TestClient(app) as client:
        scrape(client)  # itself a request of which the next one tells
        before = len(scrape(client))
        asyncio.run(get_many())
        after = scrape(client)
    assert len(after) <= before + 30, "one route, one code: a counter and a histogram's buckets"
    assert value(after, "valence_requests_total", route="unmatched", code="404") == 10_000


@pytest.mark.parametrize("code", ["429", "500", "503", "504"])
def test_what_can_go_wrong_is_told_before_it_does(package_dir: Path, make_app: MakeApp, code: str) -> None:
    """Else the first failure of a pod, which makes the series, would be none to `rate`."""
    with TestClient(make_app(package_dir)) as client:
        samples = scrape(client)
    for route in ("/predict", "/predict/batch"):
        key = "valence_requests_total", frozenset({("route", route), ("code", code)})
        assert samples[key] == 0


def test_the_start_of_the_newest_worker_is_told(client: TestClient) -> None:
    started = value(scrape(client), "valence_worker_start_time_seconds")
    assert 0 < time.time() - started < 86_400


def test_any_worker_answers_for_all(tmp_path: Path) -> None:
    """Two processes write, a third reads; what the dead counted stays, their gauges go."""
    write = (
        "import sys; from bento.metrics import Metrics; m = Metrics();"
        "m.count('valence_rejected_total', 'invalid');"
        "m.observe('valence_batch_texts', 2); m.set('valence_queue_texts', 5);"
        "m.set('valence_worker_start_time_seconds', int(sys.argv[1])); m.flush();"
        "print(m.render().decode())"
    )
    for expected, start, newest in (("1.0", "7", "7.0"), ("2.0", "5", "7.0")):
        answer = subprocess.run(
            [sys.executable, "-c", write, start],
            env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
            check=True,
            capture_output=True,
            text=True,
        )
        lines = answer.stdout.splitlines()
        assert f'valence_rejected_total{{reason="invalid"}} {expected}' in lines
        assert f'valence_batch_texts_bucket{{le="2.0"}} {expected}' in lines
        assert "valence_queue_texts 5.0" in lines
        assert f"valence_worker_start_time_seconds {newest}" in lines
