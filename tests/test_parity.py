"""One model, five ways to ask it: training library, graph, HTTP, file, Spark. All say the same."""

import csv
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from bento.api import create_app
from bento.batch.score import score_file
from bento.package import LABELS
from bento.registry import Resolved
from bento.scorer import Scorer
from bento.settings import Settings
from bento.text import normalise
from tests.training.packaged import ROOT, Packaged, make_packaged, small_parts
from training.canaries import TEXTS
from training.predictions import Predictions

ASKED = [*(text for text in TEXTS if normalise(text)), *small_parts()["test"].texts]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    return make_packaged(tmp_path_factory.mktemp("tfidf_logreg"), small_parts(), run_id="0" * 32)


@pytest.fixture(scope="module")
def by_http(packaged: Packaged) -> list[dict[str, object]]:
    app = create_app(Settings(), lambda: Resolved(packaged.package.path, None))
    with TestClient(app) as client:
        answer = client.post("/predict/batch", json={"texts": ASKED})
    predictions: list[dict[str, object]] = answer.json()["predictions"]
    return predictions


def scores_of(rows: list[dict[str, object]]) -> NDArray[np.float64]:
    return np.array([[row["scores"][label] for label in LABELS] for row in rows])  # type: ignore[index]


def test_the_graph_says_what_the_training_library_says(packaged: Packaged) -> None:
    library = packaged.fitted.predict_proba([normalise(text) for text in ASKED])
    tempered = library ** (1 / packaged.package.manifest.temperature)
    expected = tempered / tempered.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Scorer(packaged.package).predict(ASKED), expected, atol=1e-5)


def test_http_says_what_the_graph_says(packaged: Packaged, by_http: list[dict[str, object]]) -> None:
    np.testing.assert_allclose(scores_of(by_http), Scorer(packaged.package).predict(ASKED), atol=2e-6)


def test_a_scored_file_says_what_http_says(
    packaged: Packaged, by_http: list[dict[str, object]], tmp_path: Path
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in ASKED)])
    score_file(source, target, Scorer(packaged.package), workers=1)
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, answer in zip(rows, by_http, strict=True):
        assert row["sentiment"] == answer["sentiment"]
        assert row["certain"] == str(answer["certain"]).lower()
        assert float(row["confidence"]) == pytest.approx(answer["confidence"], abs=2e-6)
    written = [[float(row[f"score_{label}"]) for label in LABELS] for row in rows]
    np.testing.assert_allclose(written, scores_of(by_http), atol=2e-6)


def test_the_evaluation_is_of_what_is_served(
    packaged: Packaged, by_http: list[dict[str, object]], tmp_path: Path
) -> None:
    kept = Predictions.read(packaged.folder / "predictions.csv")
    served = by_http[-len(kept.texts) :]
    np.testing.assert_allclose(kept.scores, scores_of(served), atol=2e-6)
    assert kept.certain == [answer["certain"] for answer in served]


@pytest.mark.spark
@pytest.mark.skipif(
    find_spec("pyspark") is None or shutil.which("java") is None,
    reason="Spark is not installed: it needs pip install 'valence[spark]' and Java 17 or newer",
)
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")
def test_spark_says_what_http_says(
    packaged: Packaged, by_http: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.sql import SparkSession

    from bento.batch.spark import score_frame

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    local = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    session = (
        SparkSession.builder.master("local[2]")
        .config(map={**local, "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"})
        .getOrCreate()
    )
    try:
        session.sparkContext.setLogLevel("OFF")
        asked: list[tuple[int, str | None]] = [*enumerate(ASKED), (len(ASKED), " "), (len(ASKED) + 1, None)]
        frame = session.createDataFrame(asked, "number int, text string").repartition(3)
        rows = sorted(score_frame(frame, packaged.package.path).collect(), key=lambda row: row["number"])
        with pytest.raises(ValueError, match="no column 'review'; the columns are number, text"):
            score_frame(frame, packaged.package.path, text="review")
        with pytest.raises(ValueError, match="already has sentiment"):
            score_frame(frame.withColumnRenamed("number", "sentiment"), packaged.package.path)
    finally:
        session.stop()
    *filled, blank, missing = rows
    for row, text, answer in zip(filled, ASKED, by_http, strict=True):
        assert row["text"] == text
        assert (row["sentiment"], row["certain"]) == (answer["sentiment"], answer["certain"])
        assert row["confidence"] == pytest.approx(answer["confidence"], abs=2e-6)
    written = [[row[f"score_{label}"] for label in LABELS] for row in filled]
    np.testing.assert_allclose(written, scores_of(by_http), atol=2e-6)
    assert blank["sentiment"] is None
    assert (missing["text"], missing["score_negative"]) == (None, None)
