"""Ten minutes of everything that dashboards ask for: two pods, of which the second begins with a newer model.

Of the form of the service's data only: what it really tells is proven elsewhere, and what only a cluster
tells can be had nowhere else.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from bento.metrics import METRICS
from tests.grafana.names import RECORDED

START, STEP_S, STEPS = 1_700_000_000, 15, 41
END = START + STEP_S * (STEPS - 1)
HERE = {"namespace": "local", "release": "valence"}
_PODS = {
    "valence-a": ("1", 0),
    "valence-b": ("2", 16),
}  # the model's version, and the step of the first sample
_VALUES = {
    "route": ("/predict", "/predict/batch"),
    "code": ("200", "429", "500"),
    "reason": ("queue_full", "deadline"),
    "sentiment": ("negative", "neutral", "positive"),
    "slo": ("availability", "latency-100ms", "latency-300ms"),
    "name": ("valence-sentiment",),
    "digest": ("sha256:0123456789abcdef",),
    "family": ("svm",),
    "python_version": ("3.11.2",),
}
_BUCKETS = {
    "sentiment": _VALUES["sentiment"],
    "confidence": ("0.5", "0.8", "+Inf"),
    "input_tokens": ("8", "64", "+Inf"),
    "certain": ("true", "false"),
}
_RATIO = 0.4  # what stands for a share


class Sample(NamedTuple):
    """One value of one series."""

    metric: str
    labels: dict[str, str]
    step: int
    value: float


def openmetrics() -> str:
    """Return everything in the format OpenMetrics, one metric after the other."""
    lines = []
    for metric, labels, step, value in [*_service(), *_recorded(), *_cluster()]:
        written = ",".join(f'{name}="{label}"' for name, label in (HERE | labels).items())
        lines.append(f"{metric}{{{written}}} {value} {START + STEP_S * step}")
    return "\n".join([*sorted(lines, key=lambda line: line.partition("{")[0]), "# EOF", ""])


def _service() -> Iterator[Sample]:
    for pod, (version, first) in _PODS.items():
        for step in range(first, STEPS):
            yield Sample("up", {"pod": pod}, step, 1)
            for name, spec in METRICS.items():
                for labels in _labelled(spec.labels, version):
                    at = {"pod": pod} | labels
                    if spec.kind == "histogram":
                        yield from _histogram(name, spec.buckets, at, step)
                    elif spec.kind == "counter":
                        yield Sample(name, at, step, 7 * step)
                    else:
                        yield Sample(name, at, step, 1 if name.endswith("_info") else _RATIO)


def _labelled(names: tuple[str, ...], version: str) -> Iterator[dict[str, str]]:
    if "bucket" in names:
        for feature, buckets in _BUCKETS.items():
            labels = {"feature": feature, "model_version": version}
            yield from (labels | {"bucket": bucket} for bucket in buckets)
        return
    known = _VALUES | {"version": (version,), "model_version": (version,), "feature": tuple(_BUCKETS)}
    for values in product(*(known[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def _histogram(name: str, buckets: tuple[float, ...], labels: dict[str, str], step: int) -> Iterator[Sample]:
    bounds = [f"{bound:g}" for bound in buckets] + ["+Inf"]
    for place, bound in enumerate(bounds, start=1):
        yield Sample(f"{name}_bucket", labels | {"le": bound}, step, step * place)
    yield Sample(f"{name}_count", labels, step, step * len(bounds))
    yield Sample(f"{name}_sum", labels, step, step * len(bounds) * _RATIO)


def _recorded() -> Iterator[Sample]:
    for step in range(STEPS):
        yield Sample("ALERTS", {"alertname": "ValenceSaturated", "alertstate": "firing"}, step, 1)
        for name, labels in RECORDED.items():
            for each in _labelled(labels, "1"):
                yield Sample(name, each, step, _RATIO)


def _cluster() -> Iterator[Sample]:
    for pod, step in product(_PODS, range(STEPS)):
        at = {"pod": pod, "container": "valence"}
        yield Sample("kube_pod_status_ready", at | {"condition": "true"}, step, 1)
        yield Sample("kube_pod_container_status_restarts_total", at, step, step // 20)
        yield Sample(
            "kube_pod_container_status_last_terminated_reason", at | {"reason": "OOMKilled"}, step, 1
        )
        yield Sample("kube_pod_container_resource_limits", at | {"resource": "memory"}, step, 1e9)
        yield Sample("container_memory_working_set_bytes", at, step, 4e8)
        yield Sample("container_cpu_cfs_periods_total", at, step, 150 * step)
        yield Sample("container_cpu_cfs_throttled_periods_total", at, step, 3 * step)
