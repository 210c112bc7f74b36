"""What is held against a release, and when: by counts alone, and as a real Prometheus counts them."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.metrics import METRICS
from k8s.release.prometheus import Prometheus, PrometheusError
from k8s.release.slo import OBJECTIVES, Count, count_before, judge
from tests.k8s.conftest import Answering
from tests.k8s.prometheus import missing, prometheus


def verdicts(new: Count, before: Count, looks: int = 60) -> set[str]:
    return {each.says for each in judge([new] * len(OBJECTIVES), [before] * len(OBJECTIVES), looks=looks)}


@pytest.mark.parametrize(
    ("new", "before", "says"),
    [
        (Count(0, 1000), Count(0, 1000), "kept"),
        (Count(100, 1000), Count(1, 1000), "violated"),
        (Count(100, 1000), Count(100, 1000), "kept"),  # as bad as before
        (Count(9, 1000), Count(0, 100_000), "kept"),  # worse than before, and within the limit
        (Count(20, 1000), Count(0, 0), "kept"),  # above the limit, which may be luck
        (Count(40, 1000), Count(0, 0), "violated"),  # nothing to compare with, and no luck
        (Count(0, 299), Count(0, 1000), "too little traffic"),
        (Count(0, 0), Count(0, 0), "too little traffic"),
        (Count(10, 10), Count(0, 1000), "violated"),  # little traffic, and no doubt
    ],
)
def test_what_is_violated(new: Count, before: Count, says: str) -> None:
    assert verdicts(new, before) == {says}


@given(st.integers(0, 500), st.integers(0, 500), st.integers(500, 5000))
def test_more_bad_requests_never_help(bad: int, more: int, total: int) -> None:
    before = Count(5, 5000)
    if "violated" in verdicts(Count(min(bad, total), total), before):
        assert verdicts(Count(min(bad + more, total), total), before) == {"violated"}


def test_only_metrics_that_the_server_has_are_asked_for() -> None:
    for objective in OBJECTIVES:
        for series in (objective.total, *objective.bad):
            name = series.partition("{")[0]
            assert name.removesuffix("_count").removesuffix("_bucket") in METRICS
    slow = METRICS["valence_request_duration_seconds"].buckets
    assert 0.3 in slow


def test_the_time_before_is_counted_by_prometheus(tmp_path: Path) -> None:
    if (what := missing()) is not None:
        pytest.skip(what)
    mine = 'namespace="sentiment",pod="valence-1-a"'
    past = {
        f'valence_requests_total{{{mine},route="/predict",code="200"}}': 3500,
        f'valence_requests_total{{{mine},route="/predict/batch",code="500"}}': 70,
        f'valence_requests_total{{{mine},route="/predict",code="429"}}': 35,
        f'valence_requests_total{{{mine},route="/health",code="500"}}': 999,
        'valence_requests_total{namespace="other",pod="valence-1-a",route="/predict",code="500"}': 999,
        'valence_requests_total{namespace="sentiment",pod="console-1",route="/predict",code="500"}': 999,
        f'valence_request_duration_seconds_count{{{mine},route="/predict",code="200"}}': 3500,
        f'valence_request_duration_seconds_bucket{{{mine},route="/predict",code="200",le="0.3"}}': 3490,
    }
    with prometheus(tmp_path, None, past) as url:
        counted = count_before(Prometheus(url), "sentiment", "valence", at=time.time(), window_s=3600)
    shares = [each.bad / each.total for each in counted]
    assert shares == pytest.approx([70 / 3605, 35 / 3605, 10 / 3500], rel=0.1)
    assert [each.total for each in counted] == pytest.approx([3605, 3605, 3500], rel=0.05)


def test_whatever_is_no_prometheus_is_named() -> None:
    with pytest.raises(PrometheusError, match=r"Prometheus at 127.0.0.1:9/prom: ConnectError"):
        Prometheus("http://user:secret@127.0.0.1:9/prom").number("up")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, "nothing here"), "404 Not Found: nothing here"),
        ((200, "<html>"), "JSONDecodeError"),
        ((200, '{"data":{"result":[{"value":[]}]}}'), "IndexError"),
        ((200, '{"data":{"result":[{"value":[0,"NaN"]}]}}'), "nan for up"),
        ((200, "[]"), "TypeError"),
    ],
)
def test_whatever_answers_is_told_without_the_password(
    answering: Answering, answer: tuple[int, str], said: str
) -> None:
    address = answering(*answer)
    with pytest.raises(PrometheusError) as refused:
        Prometheus(f"http://user:secret@{address}").number("up")
    assert said in str(refused.value)
    assert address in str(refused.value)
    assert "secret" not in str(refused.value)
