"""The server's metrics: what each means, in one dictionary, and what counts them.

Where `PROMETHEUS_MULTIPROC_DIR` is set (BentoML sets it), every worker process writes its values there
and any of them answers for all. `python -m bento.metrics` prints the table of docs/observability.md.
"""

import os
from bisect import bisect_left
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
UNMATCHED = "unmatched"

_MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)


Series = tuple[str, tuple[str, ...]]
"""A metric's name, and its labels' values."""


class _Spec(NamedTuple):
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    across: Literal["livesum", "livemax", "max"] = "livesum"  # how a gauge's processes are brought together
    # Series that are there, at 0, before anything is counted: Prometheus cannot see a first count appear.
    from_start: tuple[tuple[str, ...], ...] = ()


METRICS: dict[str, _Spec] = {
    "valence_requests_total": _Spec(
        "counter",
        "Requests answered.",
        ("route", "code"),
        from_start=tuple(
            (route, code)
            for route in ("/predict", "/predict/batch")
            for code in ("200", "429", "500", "503", "504")
        ),
    ),
    "valence_request_duration_seconds": _Spec(
        "histogram",
        "Time from the request's head to its answer's.",
        ("route", "code"),
        _SECONDS,
        from_start=(("/predict", "200"),),
    ),
    "valence_request_texts": _Spec(
        "histogram", "Texts in a prediction request.", (), (1, 2, 4, 8, 16, 32, 64, 128, 256)
    ),
    "valence_rejected_total": _Spec(
        "counter",
        "Requests turned away by reason.",
        ("reason",),
        from_start=(("queue_full",), ("deadline",), ("not_ready",)),
    ),
    "valence_queue_texts": _Spec("gauge", "Texts that wait for a lane."),
    "valence_capacity_used_ratio": _Spec(
        "gauge",
        "Tokens asked for in 10 s over what could be scored, of the busiest worker; above 1: overload.",
        (),
        (),
        "livemax",
    ),
    "valence_queue_wait_seconds": _Spec("histogram", "Time a text waited for a lane.", (), _SECONDS),
    "valence_batch_texts": _Spec(
        "histogram", "Texts scored together.", (), (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    ),
    "valence_batch_tokens": _Spec(
        "histogram",
        "Tokens scored together, padding included.",
        (),
        (16, 32, 64, 128, 256, 384, 512, 1024, 4096),
    ),
    "valence_batch_padding_ratio": _Spec(
        "histogram", "Share of a batch's tokens that is padding.", (), (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75)
    ),
    "valence_inference_seconds": _Spec("histogram", "Time of one run of the model.", (), _SECONDS),
    "valence_tokenise_seconds": _Spec(
        "histogram", "Time to normalise and tokenise a request's texts.", (), _SECONDS
    ),
    "valence_predictions_total": _Spec("counter", "Predictions made.", ("sentiment", "model_version")),
    "valence_confidence": _Spec(
        "histogram", "Confidence of predictions.", (), (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
    ),
    "valence_input_tokens": _Spec("histogram", "Tokens of a text.", (), (4, 8, 16, 32, 64, 128, 256, 512)),
    "valence_reference_ratio": _Spec(
        "gauge",
        "Share of a model's training texts per bucket of a feature; 0 for a model that is served no more.",
        ("feature", "bucket", "model_version"),
        (),
        "livemax",
    ),
    "valence_observed_total": _Spec(
        "counter",
        "Predictions per bucket of a feature, as in valence_reference_ratio.",
        ("feature", "bucket", "model_version"),
    ),
    "valence_model_info": _Spec(
        "gauge", "1 for the model that is served.", ("name", "version", "digest", "family"), (), "livemax"
    ),
    # Of all that ever started, not of those that live: so it changes once for each start.
    "valence_worker_start_time_seconds": _Spec(
        "gauge", "When the newest worker began, in seconds since 1970.", (), (), "max"
    ),
    "valence_build_info": _Spec(
        "gauge", "1 for the code that serves.", ("version", "python_version"), (), "livemax"
    ),
}


class Metrics:
    """Counts; one object for the life of the process, used by one thread but for `render`.

    What is counted is noted first and written by `flush`, all at once: prometheus-client takes a lock and
    half a dozen calls for each value, which came to a tenth of a request's time.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, _Histogram] = {}
        self._counted: Tally[Series] = Tally()
        self._observed: defaultdict[Series, list[float]] = defaultdict(list)
        for name, spec in METRICS.items():
            self._make(name, spec)

    def count(self, name: str, *labels: str) -> None:
        """Add 1 to a counter."""
        self._counted[name, labels] += 1

    def count_each(self, *series: Series) -> None:
        """Add 1 to each of several counters, for who counts so often that making their names would tell."""
        for each in series:
            self._counted[each] += 1

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Add a value to a histogram."""
        self._observed[name, labels].append(value)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(*labels) if labels else gauge).set(value)

    def flush(self) -> None:
        """Write what was counted, for `render` here and in the other workers."""
        counted, self._counted = self._counted, Tally()  # first, so that nothing can be written twice
        observed, self._observed = self._observed, defaultdict(list)
        for (name, labels), times in counted.items():
            counter = self._counters[name]
            (counter.labels(*labels) if labels else counter).inc(times)
        for (name, labels), values in observed.items():
            histogram = self._histograms[name]
            (histogram.labels(*labels) if labels else histogram).observe_all(values)

    def render(self) -> bytes:
        """Return everything that was flushed in Prometheus's text format, over all workers."""
        directory = os.environ.get(_MULTIPROCESS_VARIABLE)
        if directory is None:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        everyone.register(_Workers(Path(directory)))
        return generate_latest(everyone)

    def _make(self, name: str, spec: _Spec) -> None:
        match spec.kind:
            case "counter":
                self._counters[name] = Counter(name, spec.help, spec.labels, registry=self._registry)
                for labels in spec.from_start:
                    self._counters[name].labels(*labels)
            case "gauge":
                self._gauges[name] = Gauge(
                    name, spec.help, spec.labels, registry=self._registry, multiprocess_mode=spec.across
                )
            case "histogram":
                self._histograms[name] = _Histogram(
                    name, spec.help, spec.labels, registry=self._registry, buckets=spec.buckets
                )
                for labels in spec.from_start:
                    self._histograms[name].labels(*labels)


class _Histogram(Histogram):
    def observe_all(self, values: Sequence[float]) -> None:
        """Do what `observe` does, for several values at once."""
        self._sum.inc(sum(values))
        for place, times in Tally(bisect_left(self._upper_bounds, value) for value in values).items():
            self._buckets[place].inc(times)


class _Workers(Collector):
    """What all workers wrote; the gauges of those that died do not count, what they counted does."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for file in self._directory.glob("*.db") if not _is_stale(file)]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return merged


def _is_stale(file: Path) -> bool:
    """Tell whether a file such as `gauge_livesum_<pid>.db` is of a process that is gone."""
    kind, _, process = file.stem.rpartition("_")
    if not kind.startswith("gauge_live"):
        return False
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, PermissionError):  # gone, and its number may be somebody else's by now
        return True
    return False


def markdown_table() -> str:
    """Return the metrics as a table: name, kind, labels, meaning."""
    rows = ["| metric | kind | labels | what it tells |", "|---|---|---|---|"]
    for name, spec in METRICS.items():
        labels = ", ".join(f"`{label}`" for label in spec.labels)
        rows.append(f"| `{name}` | {spec.kind} | {labels} | {spec.help} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(markdown_table())
