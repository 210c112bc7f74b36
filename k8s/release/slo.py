"""What a release must keep, counted by Prometheus and compared with the time before.

The queries read the server's own metrics and need no recording rules; they need the labels `namespace` and
`pod`, which Prometheus gives to what it scrapes from pods.
"""

import math
from dataclasses import dataclass
from typing import Literal

from k8s.release.prometheus import Prometheus, PrometheusError
from k8s.release.statistics import binomial_tail, fisher_tail

ERROR_RATE = 0.05  # how often all looks at a release together undo one that is as good as the one before
_EVERY_REQUEST = "valence_requests_total{PODS}"
_ANSWERED = 'valence_requests_total{PODS,route=~"/predict.*"}'
_TIMED = 'valence_request_duration_seconds_count{PODS,route="/predict",code="200"}'


@dataclass(frozen=True)
class Objective:
    """At most a share `limit` of what `total` counts may be what `bad` counts."""

    name: str
    bad: tuple[str, ...]  # counters, all but the first to be taken off the first
    total: str
    limit: float

    @property
    def enough(self) -> int:
        """How many requests a judgement needs: as many without a bad one rule `limit` out (rule of three)."""
        return math.ceil(3 / self.limit)


OBJECTIVES = (
    Objective(
        "failed (5xx)", ('valence_requests_total{PODS,route=~"/predict.*",code=~"5.."}',), _ANSWERED, 0.01
    ),
    Objective(
        "turned away (429)", ('valence_requests_total{PODS,route=~"/predict.*",code="429"}',), _ANSWERED, 0.01
    ),
    Objective(
        "slower than 300 ms",
        (_TIMED, 'valence_request_duration_seconds_bucket{PODS,route="/predict",code="200",le="0.3"}'),
        _TIMED,
        0.01,
    ),
)


@dataclass(frozen=True)
class Count:
    """How many of how many."""

    bad: int
    total: int

    def __str__(self) -> str:
        share = f"{self.bad / self.total:.2%}" if self.total else "no traffic"
        return f"{self.bad} of {self.total} ({share})"


@dataclass(frozen=True)
class Judgement:
    """What one look says of one objective; `chance` is that of so many bad ones by luck alone."""

    objective: Objective
    new: Count
    before: Count
    chance: float
    says: Literal["kept", "violated", "too little traffic"]

    def __str__(self) -> str:
        text = f"{self.objective.name}: {self.new}, before {self.before}, limit {self.objective.limit:.2%}"
        if self.says == "violated":
            return f"{text}; by luck with a probability of {self.chance:.1g}"
        if self.says == "too little traffic":
            return f"{text}; {self.objective.enough} requests are needed to judge"
        return text


def count_before(
    prometheus: Prometheus, namespace: str, name: str, *, at: float, window_s: int
) -> list[Count]:
    """Count what all pods of a Deployment did in the time before `at`, one count for each objective."""
    return _count(prometheus, f"sum(increase(SERIES[{window_s}s]))", _select(namespace, name), at)


def count_new(prometheus: Prometheus, namespace: str, pods: str, *, window_s: int) -> list[Count]:
    """Count what pods did since they started.

    Their counters began at 0, so the counters' values are the counts; `increase` would miss whatever a
    counter has when it is seen for the first time, which for errors may be all.

    Args:
        prometheus: Where.
        namespace: Of the pods.
        pods: What their names begin with.
        window_s: Longer than they live.

    Raises:
        PrometheusError: There is no answer, or none of these pods is known, so that no count is no zero.
    """
    counts = _count(prometheus, _highest(window_s), _select(namespace, pods), None)
    if not any(each.total for each in counts):
        check_known(prometheus, namespace, pods, window_s=window_s)
    return counts


def check_known(prometheus: Prometheus, namespace: str, pods: str, *, window_s: int) -> None:
    """See that Prometheus has counted anything of pods, of which probes make sure where they are scraped.

    Raises:
        PrometheusError: It has not.
    """
    series = _EVERY_REQUEST.replace("PODS", _select(namespace, pods))
    if prometheus.number(_highest(window_s).replace("SERIES", series)) == 0:
        raise PrometheusError(
            f"Prometheus knows no metrics of the pods {pods}-* in {namespace}: it has to scrape them, and to "
            "give what it scrapes the labels namespace and pod"
        )


def judge(new: list[Count], before: list[Count], *, looks: int) -> list[Judgement]:
    """Say of each objective whether it is kept.

    Violated is what is above the limit (binomial test) and worse than before (Fisher's exact test), both
    beyond luck. The tests are exact and share `ERROR_RATE` evenly among all looks and objectives
    (Bonferroni), so that looking often undoes nothing by itself.

    Args:
        new: Of the new pods, one for each of `OBJECTIVES`.
        before: Of the time before; without traffic there, the limit alone counts.
        looks: How many looks there will be.
    """
    level = ERROR_RATE / (looks * len(OBJECTIVES))
    return [_judge(*each, level=level) for each in zip(OBJECTIVES, new, before, strict=True)]


def _judge(objective: Objective, new: Count, before: Count, *, level: float) -> Judgement:
    chance = max(
        binomial_tail(new.bad, new.total, objective.limit),
        fisher_tail(new.bad, new.total, before.bad, before.total) if before.total else 0.0,
    )
    if chance < level:
        return Judgement(objective, new, before, chance, "violated")
    says: Literal["kept", "too little traffic"] = (
        "kept" if new.total >= objective.enough else "too little traffic"
    )
    return Judgement(objective, new, before, chance, says)


def _highest(window_s: int) -> str:
    return f"sum(max_over_time(SERIES[{window_s}s]))"


def _select(namespace: str, pods: str) -> str:
    return f'namespace="{namespace}",pod=~"{pods.replace(".", "[.]")}-.*"'


def _count(prometheus: Prometheus, around: str, pods: str, at: float | None) -> list[Count]:
    def number(series: str) -> float:
        return prometheus.number(around.replace("SERIES", series.replace("PODS", pods)), at)

    counts = []
    for objective in OBJECTIVES:
        total = round(number(objective.total))
        first, *rest = (number(series) for series in objective.bad)
        counts.append(Count(min(total, max(0, round(first - sum(rest)))), total))
    return counts
