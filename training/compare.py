"""The stage `compare`: all families side by side, as a table, as JSON, and as a page for people."""

import csv
from pathlib import Path

from training.assessment import Assessment, Interval
from training.errors import TrainingError, run
from training.evaluate_behaviour import pass_rates
from training.evaluate_package import ASSESSMENT
from training.fitted import LEARNING, write_csv
from training.html_report import Compared, write_report
from training.predictions import PREDICTIONS, Predictions
from training.records import ARTIFACTS, Record, Result
from training.register import COMPARISON, results
from training.usage import no_arguments

TABLE = COMPARISON / "model_comparison.csv"
EVALUATION = COMPARISON / "model_evaluation.json"
REPORT = COMPARISON / "report.html"

_MEASURES = ("accuracy", "macro_precision", "macro_recall", "macro_f1")


class Summary(Record):
    """A family's main figures; `change` is macro-F1 against the best's."""

    validation_macro_f1: float
    test: dict[str, Interval]
    change: Interval
    ece: float
    certain_share: float
    certain_right: float | None
    behaviour: dict[str, float]
    median_ms: float
    p95_ms: float
    texts_per_s: float
    package_mb: float
    train_seconds: float


class ModelEvaluation(Record):
    """All families; `best` is the one by macro-F1 on validation."""

    data: str
    best: str
    families: dict[str, Summary]


def _compare(found: list[Result]) -> ModelEvaluation:
    best = _read(found[0])
    compared = [_read(result) for result in found]
    summaries = {one.result.family: _summarise(one, best) for one in compared}
    evaluation = ModelEvaluation(data=best.result.data, best=best.result.family, families=summaries)
    rows = [_row(one, summaries[one.result.family]) for one in compared]
    write_csv(TABLE, list(rows[0]), [list(row.values()) for row in rows])
    write_report(REPORT, compared, {name: summary.change for name, summary in summaries.items()})
    evaluation.write(EVALUATION)
    return evaluation


def _read(result: Result) -> Compared:
    folder = ARTIFACTS / result.family
    if not (folder / ASSESSMENT).exists():
        raise TrainingError(
            f"{folder / ASSESSMENT}: not there; run `python -m training.evaluate_package {result.family}`"
        )
    assessment = Assessment.load(folder / ASSESSMENT)
    if assessment.digest != result.digest:
        raise TrainingError(
            f"{folder / ASSESSMENT}: is of another package than {folder / 'result.json'}; run `dvc repro`"
        )
    return Compared(
        result, assessment, Predictions.read(folder / PREDICTIONS), _read_learning(folder / LEARNING)
    )


def _read_learning(path: Path) -> list[tuple[float, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [(float(row["step"]), float(row["macro_f1"])) for row in csv.DictReader(file)]


def _summarise(one: Compared, best: Compared) -> Summary:
    assessment = one.assessment
    value, lower, upper = one.predictions.macro_f1_change(best.predictions)
    return Summary(
        validation_macro_f1=one.result.evaluations["validation"].macro_f1,
        test=assessment.intervals,
        change=Interval(value=value, lower=lower, upper=upper),
        ece=assessment.calibration.ece,
        certain_share=assessment.certain.share,
        certain_right=assessment.certain.right,
        behaviour=pass_rates(assessment.behaviour),
        median_ms=assessment.speed.median_ms,
        p95_ms=assessment.speed.p95_ms,
        texts_per_s=assessment.speed.texts_per_s,
        package_mb=assessment.package_bytes / 1e6,
        train_seconds=one.result.train_seconds,
    )


def _row(one: Compared, summary: Summary) -> dict[str, object]:
    row: dict[str, object] = {
        "family": one.result.family,
        "test_rows": one.assessment.evaluation.rows,
        "validation_macro_f1": round(summary.validation_macro_f1, 4),
    }
    for name in _MEASURES:
        interval = summary.test[name]
        row |= {
            name: round(interval.value, 4),
            f"{name}_lower": round(interval.lower, 4),
            f"{name}_upper": round(interval.upper, 4),
        }
    for label, scores in one.assessment.evaluation.classes.items():
        row |= {f"{label}_{name}": round(getattr(scores, name), 4) for name in ("precision", "recall", "f1")}
    right = "" if summary.certain_right is None else round(summary.certain_right, 4)
    row |= {"ece": round(summary.ece, 4), "certain_share": round(summary.certain_share, 4)}
    row |= {"certain_right": right}
    row |= {kind: round(rate, 4) for kind, rate in summary.behaviour.items()}
    row |= {"median_ms": round(summary.median_ms, 3), "p95_ms": round(summary.p95_ms, 3)}
    row |= {"texts_per_s": round(summary.texts_per_s), "package_mb": round(summary.package_mb, 1)}
    return row | {"train_seconds": summary.train_seconds, "digest": one.result.digest}


def _main() -> None:
    no_arguments("training.compare", __doc__)
    found = results()
    if not found:
        raise TrainingError("nothing is trained here yet; run `dvc repro`")
    evaluation = _compare(found)
    print(f"best by macro-F1 on validation: {evaluation.best}; read {REPORT}")


if __name__ == "__main__":
    run(_main)
