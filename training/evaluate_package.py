"""The stage `evaluate`: `python -m training.evaluate_package FAMILY` looks at a package from all sides.

Everything is measured on the package as it was written, through the scorer that serves, on the test part.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bento.package import read_package
from bento.scorer import Scorer
from training import families, kept_runs, tracking
from training.assessment import Assessment, assess, figures
from training.errors import run
from training.evaluate_calibration import Calibration
from training.fitted import write_csv
from training.predictions import predict
from training.prepare import DATA, REPORT
from training.reading import place_of
from training.records import ARTIFACTS, DataReport, Result, StageReport
from training.rows import Rows
from training.stages import folders

ASSESSMENT = Path("assessment.json")
PREDICTIONS = Path("predictions.csv")
LOGGED = "evaluation"  # the folder among a run's artifacts

_RELIABILITY = Path("reliability.csv")
_METRICS = Path("metrics.json")


def _evaluate(name: str) -> Assessment:
    folder = ARTIFACTS / name
    result = Result.load(folder / "result.json")
    package = read_package(folder / "package", result.digest)
    report = DataReport.load(REPORT)
    test = Rows.read(DATA / "test.parquet")
    scorer = Scorer(package)
    predictions = predict(scorer, test.texts, _sources(), test.labels)
    found = assess(package, predictions, scorer, run_id=result.run_id, data=report.data.name)
    predictions.write(folder / PREDICTIONS)
    write_csv(folder / _RELIABILITY, ("confidence", "right", "rows"), _reliability(found.calibration))
    figures(found, result).write(folder / _METRICS)
    found.write(folder / ASSESSMENT)
    client, run_id = kept_runs.find(found.run_id)
    tracking.log_evaluation(
        client,
        run_id,
        _metrics(found),
        [folder / PREDICTIONS, folder / ASSESSMENT],
        LOGGED,
    )
    return found


def _sources() -> list[str]:
    """Return the name of the raw file that each text of the test part comes from."""
    ingested = StageReport.load(folders.DATA / folders.REPORTS / "ingest.json")
    names = [name for files in ingested.counts.values() for name in files]  # in the order of their numbers
    rows = pq.read_table(folders.DATA / folders.SOURCES)["row_id"].to_pylist()
    return [names[place_of(row)[0]] for row in rows]


def _reliability(found: Calibration) -> Sequence[tuple[float, float, int]]:
    return [(one.confidence, one.right, one.rows) for one in found.bins]


def _metrics(found: Assessment) -> dict[str, float]:
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
