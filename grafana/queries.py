"""Pieces of PromQL that dashboards share."""

from typing import NamedTuple

RATE = "[$__rate_interval]"
_HERE = 'namespace="$namespace",release="$release"'
CHOSEN = 'model_version=~"$model_version"'
USERS = 'route=~"/predict.*"'  # what callers ask for, and not probes
DONE = 'code="200"'  # refusals are quick, and would hide that the others wait


class Query(NamedTuple):
    """A query and the name of each series that it gives, with labels as `{{label}}`."""

    expr: str
    legend: str


def of(metric: str, *more: str) -> str:
    """Select a metric of the chosen release, `more` being further matchers."""
    return f"{metric}{{{','.join([_HERE, *more])}}}"


def rate(metric: str, *more: str) -> str:
    """Return what a counter of the chosen release gains each second."""
    return f"rate({of(metric, *more)}{RATE})"


def quantile(share: float, histogram: str, *by: str) -> str:
    """Estimate a quantile of a histogram of the chosen release, for each value of the labels `by`."""
    return f"histogram_quantile({share}, sum by ({', '.join(['le', *by])}) ({rate(f'{histogram}_bucket')}))"


def mean(histogram: str) -> str:
    """Return the mean of what a histogram of the chosen release observed."""
    return f"sum({rate(f'{histogram}_sum')}) / sum({rate(f'{histogram}_count')})"


def serving() -> str:
    """Select the pods that serve one of the chosen versions now, with its labels."""
    return of("valence_model_info", 'version=~"$model_version"') + " == 1"


def with_version(expr: str) -> str:
    """Give each series of a pod the version of the model that it serves, and keep the chosen ones.

    A pod that just changes its model has two for an instant; it counts as one of them.
    """
    pod = "namespace, release, pod"
    version = f"topk by ({pod}) (1, max by ({pod}, version) ({serving()}))"
    return f"{expr} * on ({pod}) group_left (version) {version}"


def slowest_by_version() -> str:
    """Estimate what 95 of 100 results of /predict stay below, for each version."""
    buckets = with_version(rate("valence_request_duration_seconds_bucket", 'route="/predict"', DONE))
    return f"histogram_quantile(0.95, sum by (le, version) ({buckets}))"


def answered_by_version(code: str) -> str:
    """Return the share of predictions asked for that ended in a code like that, for each version."""
    asked = f"sum by (version) ({with_version(rate('valence_requests_total', USERS))})"
    such = f"sum by (version) ({with_version(rate('valence_requests_total', USERS, _code(code)))})"
    return f"{such} / {asked}"


def _code(pattern: str) -> str:
    return f'code=~"{pattern}"'
