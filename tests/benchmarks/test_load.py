"""What a load comes to, from its answers."""

import math

from benchmarks.client import LOST, WRONG, Answer
from benchmarks.load import summarise


def test_answers_become_figures() -> None:
    good = [Answer(10.0, 10.0 + ms / 1e3, 200) for ms in range(1, 101)]
    bad = [Answer(10.0, 10.5, status) for status in (429, 429, 500, LOST, WRONG)]

    load = summarise(good + bad, 2.0, cpu_s=(0.5, 0.1, 0.4), within_s=0.0505)

    assert load.rps == 50
    assert load.useful_rps == 25
    assert round(load.p50_ms, 6) == 50
    assert round(load.p99_ms, 6) == 99
    assert load.refused == 2
    assert load.errors == 3
    assert load.statuses == {"-1": 1, "0": 1, "200": 100, "429": 2, "500": 1}
    assert load.server_cpu_ms_per_request == 5
    assert load.client_cpu_ms_per_request == 1
    assert load.server_cpu_share == 0.25
    assert load.client_cpu_share == 0.05
    assert load.other_cpu_share == 0.2


def test_no_answer_has_no_latency() -> None:
    load = summarise([], 1.0, cpu_s=(0.0, 0.0, 0.0), within_s=1.0)

    assert load.rps == 0
    assert math.isnan(load.p99_ms)
    assert math.isnan(load.server_cpu_ms_per_request)
