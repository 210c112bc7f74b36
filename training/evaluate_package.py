"""The stage `evaluate`: `python -m training.evaluate_package FAMILY` looks at a package from all sides.

Everything is measured on the package as it was written, through the scorer that serves. What it says of the
test texts was kept when it was made.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bento.package import read_package
from bento.scorer import Scorer
from training import families
from training.assessment import Assessment, assess, figures
from training.errors import run
from training.evaluate_calibration import Calibration
from training.fitted import write_csv
from training.predictions import PREDICTIONS, Predictions
from training.prepare import REPORT
from training.progress import progress
from training.records import ARTIFACTS, DataReport, Result

ASSESSMENT = Path("assessment.json")
LOGGED = "evaluation"  # the folder among a run's artifacts

_RELIABILITY = Path("reliability.csv")
_METRICS = Path("metrics.json")


def _evaluate(name: str) -> Assessment:
    folder = ARTIFACTS / name
    result = Result.load(folder / "result.json")
    package = read_package(folder / "package", result.digest)
    report = DataReport.load(REPORT)
    predictions = Predictions.read(folder / PREDICTIONS)
    with progress(f"evaluating {name}", 1) as advance:
        found = assess(package, predictions, Scorer(package), run_id=result.run_id, data=report.data.name)
        advance(1)
    found.write(folder / ASSESSMENT)  # the largest first: on a full disk nothing changes
    write_csv(folder / _RELIABILITY, ("confidence", "right", "rows"), _reliability(found.calibration))
    figures(found, result).write(folder / _METRICS)
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
