from dataclasses import replace

import pytest

from tests.load.judgement import OVERLOAD, USUAL, Figures, judge

GOOD = Figures(answered=999, refused=0, failed=1, crashed=0, p50_ms=10, p95_ms=100, p99_ms=300)


def test_a_run_at_its_limits_is_good_enough() -> None:
    assert judge(GOOD, USUAL) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"failed": 10, "answered": 990}, "1.00% of the requests failed, at most 0.10% may"),
        ({"p95_ms": 101}, "p95 of single texts is 101 ms, at most 100 ms are allowed"),
        ({"p99_ms": 450}, "p99 of single texts is 450 ms, at most 300 ms are allowed"),
        ({"crashed": 2}, "the load test itself failed 2 times; its log says how"),
        ({"answered": 0, "failed": 0}, "nothing was answered"),
        ({"answered": 0, "failed": 9}, "nothing was answered"),
    ],
)
def test_each_limit_has_its_sentence(change: dict[str, int], sentence: str) -> None:
    assert judge(replace(GOOD, **change), USUAL) == [sentence]


def test_refusals_are_no_errors() -> None:
    assert judge(replace(GOOD, refused=5000), OVERLOAD) == []


def test_under_overload_p99_is_judged_and_p95_is_not() -> None:
    assert judge(replace(GOOD, p95_ms=1900, p99_ms=1950), OVERLOAD) == []
    (sentence,) = judge(replace(GOOD, p95_ms=1900, p99_ms=2100), OVERLOAD)
    assert sentence.startswith("p99 of single texts is 2100 ms")
