"""The bars, computed from what a run found."""

import math
from typing import Any

import pytest

from benchmarks.bars import Bar, bars
from benchmarks.contenders import OURS_WATCHED

Document = dict[str, Any]


def by_name(document: Document, part: str) -> Bar:
    (found,) = [bar for bar in bars(document) if part in bar.what]
    return found


def test_every_bar_is_there_and_only_the_missed_are_not_met(document: Document) -> None:
    found = bars(document)

    assert len(found) == 14
    missed = [bar.what for bar in found if not bar.met]
    assert missed == [
        "requests/s ÷ FastAPI + transformers.pipeline, concurrency 32",
        "growth in a soak",
    ]


def test_cpu_is_compared_with_the_best_of_the_offline_grid(document: Document) -> None:
    bar = by_name(document, "predictions per CPU-second")

    assert bar.measured == pytest.approx((1_000 / 5.0) / 205.0)
    assert bar.rounds == pytest.approx((bar.measured,))


def test_a_ratio_is_of_the_medians_and_shows_its_rounds(document: Document) -> None:
    slow = [dict(row, rps=300.0) if row["server"] == "valence" else row for row in document["rows"]]
    document["rounds"].append({"rows": slow, "offline": document["offline"]})

    bar = by_name(document, "BentoML")

    assert bar.measured == 4.0
    assert bar.rounds == (4.0, 3.0)


def test_a_lone_request_is_compared_with_the_quicker_scorer(document: Document) -> None:
    assert by_name(document, "lone").measured == pytest.approx(0.8)


def test_overload_counts_at_twice_the_capacity(document: Document) -> None:
    document["overload"][1] |= {"goodput_rps": 300.0, "p99_ms": 1_061.0}

    assert by_name(document, "goodput").measured == 0.75
    assert not by_name(document, "goodput").met
    assert not by_name(document, "p99 of accepted").met


@pytest.mark.parametrize(("slope", "within", "met"), [(0.5, 1.0, True), (1.5, 1.0, False), (-3.0, 1.0, True)])
def test_growth_counts_where_it_can_be_told_from_none(
    document: Document, slope: float, within: float, met: bool
) -> None:
    document["soak"] = {"minutes": 10, "slope_mb_per_hour": slope, "slope_within": within}

    assert by_name(document, "growth").met is met


def test_a_peer_that_answers_nothing_was_not_measured(document: Document) -> None:
    for row in document["rows"]:
        if row["server"] == "litserve":
            row["rps"] = 0.0

    assert math.isnan(by_name(document, "LitServe").measured)
    assert not by_name(document, "LitServe").met


@pytest.mark.parametrize("rps", [1.0, 1e9])
def test_our_server_behind_another_is_not_in_the_bars(document: Document, rps: float) -> None:
    before = bars(document)
    for row in document["rows"]:
        if row["server"] == OURS_WATCHED.name:
            row |= {"rps": rps, "ready_s": 99.0}

    assert [bar for bar in bars(document) if not math.isnan(bar.measured)] == [
        bar for bar in before if not math.isnan(bar.measured)
    ]
