"""The stage `evaluate`: `python -m training.evaluate_package FAMILY` looks at a package from all sides.

Everything is measured on the package as it was written, through the scorer that serves. What it says of the
test texts was kept when it was made.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bento.package import Package, read_package
from bento.scorer import Scorer
from training import families
from training.bootstrap import estimates, share
from training.errors import run
from training.evaluate import evaluate
from training.evaluate_behaviour import Behaviour, run_behaviour
from training.evaluate_calibration import Calibration, Certain, calibration, keeping_of
from training.evaluate_slices import slices
from training.evaluate_speed import Speed, measure_speed
from training.fitted import write_csv
from training.predictions import PREDICTIONS as PREDICTIONS
from training.predictions import Predictions
from training.prepare import REPORT
from training.progress import progress
from training.records import ARTIFACTS, DataReport, Evaluation, Record, Result

ASSESSMENT = Path("assessment.json")
RELIABILITY = Path("reliability.csv")
LOGGED = "evaluation"  # the folder among a run's artifacts


class Interval(Record):
    """A value and its 95% interval (bootstrap over rows)."""

    value: float
    lower: float
    upper: float


class Slice(Record):
    """How a model does on one kind of texts."""

    name: str
    rows: int
    macro_f1: float
    accuracy: Interval


class Assessment(Record):
    """Everything that is known of a package from the test part, and what it costs."""

    family: str
    digest: str
    run_id: str
    data: str
    evaluation: Evaluation
    intervals: dict[str, Interval]
    calibration: Calibration
    certain: Certain
    slices: tuple[Slice, ...]
    behaviour: tuple[Behaviour, ...]
    speed: Speed
    package_bytes: int


def assess(
    package: Package, predictions: Predictions, scorer: Scorer, *, run_id: str, data: str
) -> Assessment:
    """Look at a package from all sides.

    Args:
        package: What is looked at.
        predictions: Its own, on the test part.
        scorer: Its own, with one thread.
        run_id: The run that made it.
        data: What the data is called.
    """
    right, truth = predictions.right(), np.array(predictions.truth)
    evaluation = evaluate(predictions.scores, predictions.labels, predictions.truth)
    found = estimates(np.array(evaluation.confusion))
    return Assessment(
        family=package.manifest.family,
        digest=package.digest,
        run_id=run_id,
        data=data,
        evaluation=evaluation,
        intervals={name: _interval(estimate) for name, estimate in found.items()},
        calibration=calibration(predictions.scores.max(axis=1), right),
        certain=keeping_of(package.manifest.certainty, predictions.certain, right),
        slices=tuple(
            Slice(
                name=name,
                rows=int(inside.sum()),
                macro_f1=evaluate(
                    predictions.scores[inside], predictions.labels, truth[inside].tolist()
                ).macro_f1,
                accuracy=_interval(share(int(right[inside].sum()), int(inside.sum()))),
            )
            for name, inside in slices(predictions.texts, predictions.sources)
        ),
        behaviour=tuple(run_behaviour(scorer)),
        speed=measure_speed(scorer, predictions.texts),
        package_bytes=sum(len(content) for content in (package.tokenizer, package.graph)),
    )


def _interval(estimate: tuple[float, float, float]) -> Interval:
    value, lower, upper = estimate
    return Interval(value=value, lower=lower, upper=upper)


def _evaluate(name: str) -> Assessment:
    folder = ARTIFACTS / name
    result = Result.load(folder / "result.json")
    package = read_package(folder / "package", result.digest)
    report = DataReport.load(REPORT)
    predictions = Predictions.read(folder / PREDICTIONS)
    with progress(f"evaluating {name}", 1) as advance:
        found = assess(package, predictions, Scorer(package), run_id=result.run_id, data=report.data.name)
        advance(1)
    write_csv(folder / RELIABILITY, ("confidence", "right", "rows"), _reliability(found.calibration))
    found.write(folder / ASSESSMENT)
    return found


def _reliability(found: Calibration) -> Sequence[tuple[float, float, int]]:
    return [(one.confidence, one.right, one.rows) for one in found.bins]


def metrics_of(found: Assessment) -> dict[str, float]:
    """Return the main figures under the names by which they are logged."""
    metrics = {"test_ece": found.calibration.ece, "test_certain_share": found.certain.share}
    if found.certain.right is not None:
        metrics["test_certain_accuracy"] = found.certain.right
    for name, interval in found.intervals.items():
        metrics |= {f"test_{name}_lower": interval.lower, f"test_{name}_upper": interval.upper}
    return metrics | {"lone_text_median_ms": found.speed.median_ms, "texts_per_s": found.speed.texts_per_s}


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate_package", description=__doc__)
    parser.add_argument("family", choices=sorted(families.FAMILIES))
    found = _evaluate(parser.parse_args().family)
    interval = found.intervals["macro_f1"]
    print(
        f"{found.family}: macro-F1 {interval.value:.4f} ({interval.lower:.4f} to {interval.upper:.4f}) on "
        f"{found.evaluation.rows} test rows"
    )


if __name__ == "__main__":
    run(_main)
