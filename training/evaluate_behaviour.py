"""Behavioural tests: what a sentiment model should do with texts that were made for it (`behaviour.toml`)."""

import tomllib
from collections.abc import Sequence
from importlib import resources
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, TypeAdapter

from bento.scorer import Scorer
from training.params import Section
from training.records import Record

_Kind = Literal["functionality", "invariance", "direction"]

_SURELY = 0.1
_SHOWN = 5  # failures of a test


class Behaviour(Record):
    """How one behavioural test went; `failures` shows the first few, for people."""

    kind: _Kind
    name: str
    cases: int
    passed: int
    failures: tuple[str, ...]


class _Functionality(Section):
    kind: Literal["functionality"]
    name: str
    expect: Literal["negative", "neutral", "positive"]
    texts: list[str]


class _Invariance(Section):
    kind: Literal["invariance"]
    name: str
    groups: tuple[list[str], ...] = ()
    fill: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    def all_groups(self) -> list[list[str]]:
        return [*self.groups, *([text.format(name=word) for word in self.fill] for text in self.texts)]


class _Direction(Section):
    kind: Literal["direction"]
    name: str
    expect: Literal["up", "down"]
    pairs: list[tuple[str, str]]


_Test = Annotated[_Functionality | _Invariance | _Direction, Field(discriminator="kind")]


def run_behaviour(scorer: Scorer) -> list[Behaviour]:
    """Run every test that makes sense for the labels that the model knows."""
    content = resources.files("training").joinpath("behaviour.toml").read_text(encoding="utf-8")
    tests = TypeAdapter(list[_Test]).validate_python(tomllib.loads(content)["test"])
    return [
        _run(scorer, test)
        for test in tests
        if not isinstance(test, _Functionality) or test.expect in scorer.labels
    ]


def pass_rates(found: Sequence[Behaviour]) -> dict[str, float]:
    """Return the share of cases that pass, by kind."""
    rates: dict[str, float] = {}
    for kind in dict.fromkeys(test.kind for test in found):
        of_kind = [test for test in found if test.kind == kind]
        rates[kind] = sum(test.passed for test in of_kind) / sum(test.cases for test in of_kind)
    return rates


def _run(scorer: Scorer, test: _Test) -> Behaviour:
    match test:
        case _Functionality():
            said = _sentiments(scorer, test.texts)
            cases = [
                (one == test.expect, f"{text!r} is {one}") for text, one in zip(test.texts, said, strict=True)
            ]
        case _Invariance():
            cases = []
            for group in test.all_groups():
                first, *others = _sentiments(scorer, group)
                cases += [
                    (other == first, f"{text!r} is {other}, {group[0]!r} is {first}")
                    for text, other in zip(group[1:], others, strict=True)
                ]
        case _Direction():
            moods = _moods(scorer, [text for pair in test.pairs for text in pair])
            sign = 1 if test.expect == "up" else -1
            steps = [after - before for before, after in list(pairwise(moods))[::2]]
            cases = [
                (sign * step > _SURELY, f"{before!r} to {after!r} moves by {step:+.2f}")
                for (before, after), step in zip(test.pairs, steps, strict=True)
            ]
    failures = [shown for passed, shown in cases if not passed]
    return Behaviour(
        kind=test.kind,
        name=test.name,
        cases=len(cases),
        passed=len(cases) - len(failures),
        failures=tuple(failures[:_SHOWN]),
    )


def _sentiments(scorer: Scorer, texts: Sequence[str]) -> list[str]:
    return [scorer.labels[column] for column in scorer.predict(texts).argmax(axis=1)]


def _moods(scorer: Scorer, texts: Sequence[str]) -> list[float]:
    scores = scorer.predict(texts).astype(np.float64)
    labels = list(scorer.labels)
    mood = scores[:, labels.index("positive")] - scores[:, labels.index("negative")]
    return [float(value) for value in mood]
