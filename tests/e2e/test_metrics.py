"""The small Prometheus answers what `python -m k8s.release` asks as the real one would."""

import json

import pytest

from tests.e2e.metrics import QueryError, Samples

WINDOW = "[60s]"
PODS = 'namespace="sentiment",pod=~"valence-.*"'


def exposed(count: float, code: str = "200", route: str = "/predict") -> str:
    return (
        "# TYPE valence_requests_total counter\n"
        f'valence_requests_total{{code="{code}",route="{route}"}} {count}\n'
    )


def sampled(
    *values: float, pod: str = "valence-a-1", code: str = "200", into: Samples | None = None
) -> Samples:
    samples = into or Samples()
    for number, value in enumerate(values):
        samples.add(exposed(value, code), {"namespace": "sentiment", "pod": pod}, at=number * 5.0)
    return samples


def test_an_increase_counts_from_what_was_seen_first() -> None:
    query = f"sum(increase(valence_requests_total{{{PODS}}}{WINDOW}))"
    assert sampled(100, 110, 130).answer(query, 10) == 30


def test_a_counter_that_fell_was_begun_anew() -> None:
    query = f"sum(increase(valence_requests_total{{{PODS}}}{WINDOW}))"
    assert sampled(100, 110, 5, 9).answer(query, 15) == 10 + 5 + 4


def test_what_is_older_than_the_window_is_not_counted() -> None:
    query = f"sum(increase(valence_requests_total{{{PODS}}}[7s]))"
    assert sampled(0, 100, 110, 130).answer(query, 15) == 20


def test_series_are_added_up() -> None:
    samples = sampled(3, 7, into=sampled(1, 2, pod="valence-b-1"))
    assert samples.answer(f"sum(max_over_time(valence_requests_total{{{PODS}}}{WINDOW}))", 10) == 9


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        ('namespace="sentiment",pod=~"valence-a-.*",code=~"5.."', 4),
        ('namespace="sentiment",pod=~"valence-a-.*",route=~"/predict.*",code="200"', 9),
        ('namespace="elsewhere",pod=~"valence-.*"', None),
        ('namespace="sentiment",pod=~"valence[.]a-.*"', None),
        ('namespace="sentiment",pod=~"alence-a-.*"', None),
    ],
)
def test_labels_choose_as_they_do_in_promql(selector: str, value: float | None) -> None:
    samples = sampled(4, code="504", into=sampled(9))
    assert samples.answer(f"sum(max_over_time(valence_requests_total{{{selector}}}{WINDOW}))", 10) == value


@pytest.mark.parametrize("query", ["up", "sum(rate(valence_requests_total{}[60s]))", json.dumps({})])
def test_a_query_that_is_not_known_is_no_zero(query: str) -> None:
    with pytest.raises(QueryError, match="not known"):
        Samples().answer(query, 0)
