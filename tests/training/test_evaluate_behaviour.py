"""Behavioural tests: what counts as passing, and that the texts are what they should be."""

import csv
import tomllib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bento.scorer import Scorer
from bento.text import normalise, row_key
from tests.training.packaged import ROOT, Packaged
from training.evaluate_behaviour import pass_rates, run_behaviour


class Judge(Scorer):
    """A scorer that finds nothing but certain words."""

    def __init__(self, words: dict[str, str], labels: tuple[str, ...]) -> None:
        self.labels = labels  # type: ignore[assignment]
        self._words = words

    def predict(self, texts: Sequence[str], *, batch_tokens: int = 1024) -> NDArray[np.float32]:
        said = [
            next((mood for word, mood in self._words.items() if word in text), "negative") for text in texts
        ]
        return np.eye(len(self.labels), dtype=np.float32)[[self.labels.index(one) for one in said]]


def test_one_that_always_says_the_same_passes_invariance_and_no_direction() -> None:
    found = run_behaviour(Judge({}, ("negative", "neutral", "positive")))
    rates = pass_rates(found)
    assert rates["invariance"] == 1.0
    assert rates["direction"] == 0.0
    assert 0 < rates["functionality"] < 0.5


def test_failures_are_shown_in_words() -> None:
    found = {one.name: one for one in run_behaviour(Judge({"Maria": "positive"}, ("negative", "positive")))}
    assert found["names of people"].passed == 0
    assert (
        found["names of people"].failures[0].startswith("'John and I loved every minute of it.' is negative")
    )
    assert "moves by +0.00" in found["negating praise"].failures[0]


def test_a_model_is_not_asked_for_labels_that_it_does_not_know() -> None:
    names = {one.name for one in run_behaviour(Judge({}, ("negative", "positive")))}
    assert "plain facts" not in names
    assert "plain praise" in names


def test_a_real_package_is_asked_everything(packaged: Packaged) -> None:
    assert {one.kind for one in packaged.assessment.behaviour} == {"functionality", "invariance", "direction"}
    assert all(len(one.failures) <= 5 for one in packaged.assessment.behaviour)


def test_no_text_is_in_the_embedded_corpus_however_it_is_written() -> None:
    tests = tomllib.loads((ROOT / "training" / "behaviour.toml").read_text())["test"]
    asked = {text for test in tests for group in test.get("groups", test.get("pairs", [])) for text in group}
    for test in tests:
        asked |= {text.format(name=name) for text in test.get("texts", []) for name in test.get("fill", [""])}
    learnt = set()
    for path in (ROOT / "training" / "corpus").glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            learnt |= {row_key(normalise(row["text"])) for row in csv.DictReader(file)}
    assert len(asked) > 150
    assert {text for text in asked if row_key(normalise(text)) in learnt} == set()


@pytest.mark.parametrize("kind", ["functionality", "invariance", "direction"])
def test_there_are_enough_cases_of_each_kind(packaged: Packaged, kind: str) -> None:
    cases = Counter[str]()
    for one in packaged.assessment.behaviour:
        cases[one.kind] += one.cases
    assert cases[kind] >= 20
