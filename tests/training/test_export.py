"""What training hands over is a verified package, measured through the scorer that serves it."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from bento.package import CANARIES, LABELS, Package, Quantisation, read_package
from bento.scorer import Scorer
from training import numeric_forms
from training.canaries import TEXTS
from training.confusion_picture import draw_confusion
from training.evaluate import evaluate
from training.export import measure, write
from training.families import Fitted
from training.records import Evaluation
from training.rows import Rows
from training.temperature import temper

SVG = "{http://www.w3.org/2000/svg}"
RUN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="session")
def exported(
    fitted: Fitted, family: str, parts: dict[str, Rows], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Package, dict[str, Evaluation]]:
    directory = tmp_path_factory.mktemp(family) / "package"
    measured = measure(fitted, family=family, labels=LABELS, parts=parts, git_commit="abc")
    return write(directory, measured, RUN), measured.evaluations


def test_the_package_is_complete_and_its_canaries_hold(
    exported: tuple[Package, dict[str, Evaluation]], family: str, parts: dict[str, Rows]
) -> None:
    package = read_package(exported[0].path, exported[0].digest)
    Scorer(package).check()
    manifest = package.manifest
    assert (manifest.family, manifest.run_id, manifest.git_commit) == (family, RUN, "abc")
    assert manifest.data_sha256 == parts["train"].sha256()
    assert manifest.labels == LABELS


def test_it_is_evaluated_through_the_scorer(
    exported: tuple[Package, dict[str, Evaluation]], parts: dict[str, Rows]
) -> None:
    package, evaluations = exported
    scores = Scorer(package).predict(parts["validation"].texts)
    assert evaluations["validation"] == evaluate(scores, LABELS, parts["validation"].labels)
    assert package.manifest.metrics["validation_macro_f1"] == evaluations["validation"].macro_f1


def test_a_form_that_is_too_bad_is_left(
    fitted: Fitted, family: str, parts: dict[str, Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numeric_forms, "_WEIGHT_STEPS", 1)  # weights of -1, 0 and 1
    measured = measure(fitted, family=family, labels=LABELS, parts=parts, git_commit=None)
    assert measured.manifest.quantisation == Quantisation()
    assert measured.graph == temper(fitted.graph, measured.manifest.temperature)


def test_the_profile_adds_up(exported: tuple[Package, dict[str, Evaluation]]) -> None:
    profile = exported[0].manifest.profile
    for shares in (profile.sentiment.values(), profile.confidence.shares, profile.input_tokens.shares):
        np.testing.assert_allclose(sum(shares), 1)


def test_the_canaries_are_texts_of_all_kinds() -> None:
    assert len(TEXTS) == len(set(TEXTS)) == CANARIES
    assert any(not text.isascii() for text in TEXTS)
    assert max(map(len, TEXTS)) > 200
    assert min(map(len, TEXTS)) < 5


def test_the_confusion_matrix_is_a_picture(
    exported: tuple[Package, dict[str, Evaluation]], tmp_path: Path
) -> None:
    draw_confusion(exported[1], "reviews <b> & more", tmp_path / "confusion.svg")
    page = ElementTree.fromstring((tmp_path / "confusion.svg").read_text())  # noqa: S314 - our own
    drawn = [element.text for element in page.iter(f"{SVG}text")]
    assert "reviews <b> & more" in drawn
    for evaluation in exported[1].values():
        assert {str(count) for row in evaluation.confusion for count in row} <= set(drawn)
