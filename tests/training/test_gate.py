"""The gate lets through what is as good, and names what is not."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.packaged import Packaged
from training.gate import Check, Flips, Side, judge
from training.params import Behaviours, Gate
from training.predictions import Predictions

LABELS = ("negative", "neutral", "positive")
LINES = Gate(min_slice_rows=50, min_behaviour=Behaviours(functionality=0, invariance=0, direction=0))
RATES = {"functionality": 0.9, "invariance": 0.9, "direction": 0.6}
ROWS = 2000


def predictions(share_right: float, *, bad_from: str | None = None) -> Predictions:
    """Make predictions of which a share is right, the same rows each time; of one source none is."""
    random = np.random.default_rng(0)
    truth, luck = random.integers(0, 3, ROWS), random.random(ROWS)
    sources = ["rare.csv" if row % 20 == 0 else "usual.csv" for row in range(ROWS)]
    bad = np.array([source == bad_from for source in sources])
    said = np.where((luck < share_right) & ~bad, truth, (truth + 1) % 3)
    return Predictions(
        [f"text number {row}" for row in range(ROWS)],
        sources,
        [LABELS[place] for place in truth],
        LABELS,
        np.eye(3, dtype=np.float32)[said],
        [False] * ROWS,
    )


def look(
    packaged: Packaged, one: Predictions, other: Predictions | None, lines: Gate = LINES
) -> dict[str, Check]:
    present = None if other is None else Side(other, RATES)
    return {check.name: check for check in judge(packaged.assessment, Side(one, RATES), present, lines)}


def failed(checks: dict[str, Check]) -> list[str]:
    return [name for name, check in checks.items() if not check.passed]


@pytest.mark.parametrize("share", [0.8, 0.795, 0.9])
def test_as_good_or_better_passes(packaged: Packaged, share: float) -> None:
    assert failed(look(packaged, predictions(share), predictions(0.8))) == []


def test_worse_is_refused_with_the_figures(packaged: Packaged) -> None:
    checks = look(packaged, predictions(0.7), predictions(0.8))
    assert "macro-F1" in failed(checks)
    assert checks["macro-F1"].detail.startswith("-8.9 points (-10.1 to -7.6)")
    assert "on 2000 test texts, a loss of over 2 must be ruled out" in checks["macro-F1"].detail


def test_a_slice_that_collapses_is_refused_and_named(packaged: Packaged) -> None:
    checks = look(packaged, predictions(0.84, bad_from="rare.csv"), predictions(0.8))
    assert failed(checks) == ["slices"]
    assert "source rare.csv: -8" in checks["slices"].detail


def test_a_slice_of_few_texts_decides_nothing(packaged: Packaged) -> None:
    lines = LINES.model_copy(update={"min_slice_rows": 200})
    assert failed(look(packaged, predictions(0.84, bad_from="rare.csv"), predictions(0.8), lines)) == []


@pytest.mark.parametrize(
    ("lines", "name"),
    [({"max_latency_ms": 1e-6}, "latency"), ({"max_package_mb": 1e-6}, "size")],
)
def test_a_budget_that_is_overspent_is_refused(
    packaged: Packaged, lines: dict[str, float], name: str
) -> None:
    assert failed(look(packaged, predictions(0.8), None, LINES.model_copy(update=lines))) == [name]


@pytest.mark.parametrize(("lower", "refused"), [(0.1, []), (0.26, ["plan"])])
def test_a_release_plan_in_which_surely_too_much_changes_is_refused(
    packaged: Packaged, lower: float, refused: list[str]
) -> None:
    flips = Flips(texts=400, share=0.3, interval=(lower, 0.35))
    checks = judge(packaged.assessment, Side(predictions(0.8), RATES), None, LINES, flips)
    assert [check.name for check in checks if not check.passed] == refused
    (plan,) = (check for check in checks if check.name == "plan")
    assert "of the 400 texts" in plan.detail


def test_behaviour_must_hold_or_be_nearly_that_of_the_one_in_production(packaged: Packaged) -> None:
    lines = LINES.model_copy(update={"min_behaviour": Behaviours(functionality=0.95)})
    alone = judge(packaged.assessment, Side(predictions(0.8), RATES | {"direction": 0.6}), None, lines)
    assert [check.name for check in alone if not check.passed] == ["functionality"]
    assert failed(look(packaged, predictions(0.8), predictions(0.8), lines)) == []
    worse = Side(predictions(0.8), RATES | {"functionality": 0.7})
    beside = judge(packaged.assessment, worse, Side(predictions(0.8), RATES), lines)
    assert [check.name for check in beside if not check.passed] == ["functionality"]


def test_a_label_that_production_does_not_know_is_never_said_by_it(packaged: Packaged) -> None:
    other = predictions(0.9)
    two = replace(other, labels=("negative", "positive"), scores=other.scores[:, [0, 2]])
    assert failed(look(packaged, predictions(0.8), two)) == []
