"""Small packages, and all that the stages leave of them in a folder."""

import csv
from dataclasses import dataclass
from pathlib import Path

from bento.package import LABELS, Package
from bento.scorer import Scorer
from training.assessment import Assessment, assess
from training.evaluate_package import ASSESSMENT
from training.export import measure, write
from training.families import Fitted, tfidf_logreg
from training.fitted import Training, load, save
from training.params import read_params, section
from training.predictions import PREDICTIONS, Predictions, predict
from training.records import Result
from training.rows import Rows

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Packaged:
    """A small package with what was measured on it."""

    folder: Path
    fitted: Fitted
    package: Package
    result: Result
    assessment: Assessment
    predictions: Predictions


def sample(name: str, per_label: int) -> Rows:
    """Take the first rows of each label from a file of the embedded corpus."""
    rows = Rows([], [])
    with (ROOT / "training" / "corpus" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if rows.labels.count(row["label"]) < per_label:
                rows.texts.append(row["text"])
                rows.labels.append(row["label"])
    return rows


def small_parts() -> dict[str, Rows]:
    """Return parts as the data stages make them."""
    return {
        "train": sample("products", 80),
        "validation": sample("hard_cases", 20),
        "test": sample("plain_comments", 20),
    }


def make_packaged(folder: Path, parts: dict[str, Rows], *, run_id: str) -> Packaged:
    """Do what the stages `train`, `package` and `evaluate` do, without MLflow."""
    params = section(read_params(ROOT / "params.yaml"), "train.tfidf_logreg", tfidf_logreg.Params)
    fitted = tfidf_logreg.fit(parts["train"], parts["validation"], LABELS, params)
    rows = len(parts["train"])
    training = Training(
        family="tfidf_logreg",
        params=params.model_dump(mode="json"),
        max_tokens=fitted.max_tokens,
        chosen=fitted.chosen,
        train_rows=rows,
        train_seconds=1.0,
        git_commit=None,
    )
    save(folder, fitted, training)
    measured = measure(load(folder)[0], family="tfidf_logreg", labels=LABELS, parts=parts, git_commit=None)
    package = write(folder / "package", measured, run_id)
    test, scorer = parts["test"], Scorer(package)
    sources = ["odd.csv" if row % 2 else "even.csv" for row in range(len(test))]
    predictions = predict(scorer, test.texts, sources, test.labels)
    assessment = assess(package, predictions, scorer, run_id=run_id, data="products")
    result = Result(
        family="tfidf_logreg",
        run_id=run_id,
        digest=package.digest,
        data="products",
        data_sha256=package.manifest.data_sha256,
        git_commit=None,
        params=training.params,
        chosen=fitted.chosen,
        train_rows=rows,
        train_seconds=1.0,
        package_bytes=assessment.package_bytes,
        evaluations=measured.evaluations,
    )
    predictions.write(folder / PREDICTIONS)
    assessment.write(folder / ASSESSMENT)
    result.write(folder / "result.json")
    return Packaged(folder, fitted, package, result, assessment, predictions)
