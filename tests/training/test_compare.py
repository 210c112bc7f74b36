"""Families side by side: a table, JSON, and a page that a person can open anywhere."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.training.packaged import ROOT, Packaged


def compare(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "training.compare"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def compared(packaged: Packaged, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two families, one a copy of the other, met on data that HTML would trip over."""
    folder = tmp_path_factory.mktemp("compared")
    for name in ("tfidf_logreg", "svm"):
        shutil.copytree(packaged.folder, folder / "artifacts" / name)
        for file in ("result.json", "assessment.json"):
            path = folder / "artifacts" / name / file
            content = json.loads(path.read_text()) | {"family": name, "data": "a<b>"}
            if file == "result.json" and name == "tfidf_logreg":
                content["params"]["max_steps"] = 20
            path.write_text(json.dumps(content))
    done = compare(folder)
    assert done.returncode == 0, done.stderr
    assert "best by macro-F1 on validation: svm; read artifacts/comparison/report.html" in done.stdout
    return folder / "artifacts" / "comparison"


def test_the_table_has_a_row_for_each_family_with_intervals(compared: Path, packaged: Packaged) -> None:
    with (compared / "model_comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["family"] for row in rows] == ["svm", "tfidf_logreg"]
    interval = packaged.assessment.intervals["macro_f1"]
    for name, value in (
        ("macro_f1", interval.value),
        ("macro_f1_lower", interval.lower),
        ("macro_f1_upper", interval.upper),
    ):
        assert float(rows[1][name]) == pytest.approx(value, abs=1e-4)


def test_the_same_model_under_two_names_differs_by_nothing(compared: Path) -> None:
    found = json.loads((compared / "model_evaluation.json").read_text())
    assert found["families"]["tfidf_logreg"]["change"] == {"value": 0, "lower": 0, "upper": 0}


def test_the_page_says_what_was_found_and_fetches_nothing(compared: Path, packaged: Packaged) -> None:
    page = (compared / "report.html").read_text()
    assert "a&lt;b&gt;" in page
    assert "<b>" not in page
    assert packaged.result.digest in page
    assert "It had a taste of 20 steps (train.tfidf_logreg.max_steps), no more." in page
    chosen = packaged.result.chosen["C"]
    assert f"Trained on 240 rows with C {chosen:g}, min_df 2, class_weight balanced, max_tokens 512." in page
    assert f"{packaged.assessment.intervals['macro_f1'].value:.3f}" in page
    assert not re.search(r"<script|https?://|url\(|@import|<link|<img", page)
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(drawing)  # noqa: S314 - our own


def test_predictions_come_back_as_they_were_written(packaged: Packaged, tmp_path: Path) -> None:
    again = type(packaged.predictions).read(packaged.folder / "predictions.csv")
    assert again.texts == packaged.predictions.texts
    assert again.certain == packaged.predictions.certain
    assert (again.scores == packaged.predictions.scores).all()
    assert (again.right() == packaged.predictions.right()).all()


def test_an_assessment_of_another_package_is_refused(packaged: Packaged, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts" / "tfidf_logreg"
    shutil.copytree(packaged.folder, folder)
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"digest": "sha256:other"}))
    done = compare(tmp_path)
    assert done.returncode == 1
    assert "is of another package" in done.stderr


def test_without_anything_trained_the_remedy_is_named(tmp_path: Path) -> None:
    done = compare(tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: nothing is trained here yet; run `dvc repro`\n"
