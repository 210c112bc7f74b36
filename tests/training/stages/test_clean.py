"""Nothing unclear stays, and nothing goes uncounted."""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bento.text import normalise, row_key
from training.records import StageReport

Row = tuple[Any, ...]
Write = Callable[..., str]
Run = Callable[..., StageReport]
Left = Callable[..., list[Row]]

GOOD, BAD = ("so good", "positive"), ("so bad", "negative")


def test_each_reason_is_counted(write: Write, run_stages: Run, left: Left) -> None:
    rows = [
        GOOD,
        BAD,
        ("", "positive"),
        ("no label", ""),
        (" <br> ", "positive"),
        ("so  good", "Positive"),
        ("both ways", "positive"),
        ("both ways", "negative"),
    ]
    report = run_stages("clean", write(rows))
    assert left("silver/cleaned", "text", "label", "copies") == [(*BAD, 1), (*GOOD, 2)]
    assert report.read == {"data": 8}
    assert report.kept == {"data": 2}
    assert report.dropped["data"] == {
        "conflicting labels": 2,
        "duplicate": 1,
        "empty text": 1,
        "null label": 1,
        "null text": 1,
    }


def test_words_that_look_like_null_are_texts_unless_they_are_named(write: Write, run_stages: Run) -> None:
    path = write([("null", "neutral"), ("nan", "neutral"), ("NA", "neutral")])
    assert run_stages("clean", path).kept == {"data": 3}
    report = run_stages("clean", path, clean={"null_words": ["nan", "NA"]})
    assert report.dropped["data"] == {"null text": 2}


def test_neutral_rows_go_by_setting(write: Write, run_stages: Run, left: Left) -> None:
    path = write([GOOD, BAD, ("it is a table", "neutral")])
    report = run_stages("clean", path, clean={"neutral": "drop"})
    assert report.dropped["data"] == {"neutral": 1}
    assert left("silver/cleaned", "label") == [("negative",), ("positive",)]


DISPUTED = [("a text", "positive")] * 2 + [("a text", "negative"), ("ok", "positive"), ("ok", "negative")]


@pytest.mark.parametrize(
    ("options", "kept", "conflicting"),
    [
        ({}, [], 5),
        ({"conflicts": "majority"}, [("a text", "positive")], 3),
        ({"exempt_chars": 3}, [("ok", "negative"), ("ok", "positive")], 3),
        (
            {"conflicts": "majority", "exempt_chars": 3},
            [("a text", "positive"), ("ok", "negative"), ("ok", "positive")],
            1,
        ),
    ],
)
def test_labels_that_contradict_are_settled_by_setting(
    write: Write,
    run_stages: Run,
    left: Left,
    options: dict[str, Any],
    kept: list[Row],
    conflicting: int,
) -> None:
    report = run_stages("clean", write(DISPUTED), clean=options)
    assert left("silver/cleaned", "text", "label") == kept
    assert report.dropped["data"]["conflicting labels"] == conflicting


def test_a_test_file_is_cleaned_by_itself(write: Write, run_stages: Run) -> None:
    test = write([GOOD, ("so bad", "positive")], name="test.csv")
    report = run_stages("clean", write([GOOD, BAD]), test=test)
    assert report.kept == {"data": 2, "test": 2}


def test_a_rating_stays_where_all_copies_agree(write: Write, run_stages: Run, left: Left) -> None:
    rows = [("a", "positive", "5"), ("a", "positive", "5"), ("b", "positive", "5"), ("b", "positive", "1")]
    path = write(rows, header=("text", "label", "stars"))
    run_stages("clean", path, columns={"rating": "stars"})
    assert left("silver/cleaned", "text", "stars") == [("a", 5), ("b", None)]


TEXT = st.sampled_from(
    ["good", " good", "GOOD", "bad", "<br>", "", "caf\u00e9", "cafe\u0301", "\u00a0", "a&amp;b"]
)
LABEL = st.sampled_from(["", "positive", "Negative", "neu", "great"])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, LABEL), min_size=1))
def test_it_does_what_a_few_lines_of_python_say(
    write: Write,
    run_stages: Run,
    left: Left,
    pairs: list[tuple[str, str]],
) -> None:
    short = {"positive": "positive", "Negative": "negative", "neu": "neutral", "great": "great"}
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, label in pairs:
        if label and normalise(text):
            labels[normalise(text)][short[label]] += 1
    expected = sorted((text, row_key(text), *found) for text, found in labels.items() if len(found) == 1)
    report = run_stages("clean", write(pairs))
    assert left("silver/cleaned", "text", "key", "label") == sorted(expected, key=str)
    assert report.kept["data"] + sum(report.dropped["data"].values()) == report.read["data"] == len(pairs)
