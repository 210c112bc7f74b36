"""What is odd about a row is said, and is a reason to leave it out only if so set."""

from collections.abc import Callable
from typing import Any

import pytest

from training.records import StageReport

Row = tuple[Any, ...]
Write = Callable[..., str]
Run = Callable[..., StageReport]
Left = Callable[..., list[Row]]

USUAL = [("a usual text", "positive", "5"), ("another one", "negative", "1")]


def flags(write: Write, run_stages: Run, left: Left, *row: str, **options: object) -> str:
    path = write([*USUAL, row], header=("text", "label", "stars"))
    run_stages("flag", path, columns={"rating": "stars"}, flag=options)
    ((_, found),) = [pair for pair in left("silver/flagged", "text", "flags") if pair[0] == row[0]]
    return str(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a quiet text", ""),
        ("ok", "too_short"),
        ("so good " * 700, "too_long"),
        ("goooooooooood", "repeated_characters"),
        ("gooooooood", ""),
        (
            "good \U0001f600\U0001f600\U0001f600\U0001f600\U0001f600\U0001f600\U0001f600\U0001f600\U0001f600",
            "repeated_characters mostly_non_letters",
        ),
        ("10/10 !!", "mostly_non_letters"),
        ("\u3068\u3066\u3082\u826f\u304b\u3063\u305f", ""),
    ],
)
def test_each_flag(
    write: Write,
    run_stages: Run,
    left: Left,
    text: str,
    expected: str,
) -> None:
    text = text.strip()
    assert flags(write, run_stages, left, text, "positive", "4") == expected


@pytest.mark.parametrize(
    ("label", "stars", "expected"),
    [
        ("negative", "5", "label_against_rating"),
        ("positive", "1", "label_against_rating"),
        ("positive", "2", ""),
        ("neutral", "5", ""),
        ("negative", "", ""),
    ],
)
def test_a_label_against_its_rating(
    write: Write,
    run_stages: Run,
    left: Left,
    label: str,
    stars: str,
    expected: str,
) -> None:
    assert flags(write, run_stages, left, "this is a text", label, stars) == expected


def test_nothing_is_left_out_unless_it_is_named(write: Write, run_stages: Run, left: Left) -> None:
    path = write([*(row[:2] for row in USUAL), ("ok", "positive"), ("!!!!", "positive")])
    report = run_stages("flag", path)
    assert report.counts["data"]["too_short"] == 1
    assert {reason for _, reason in left("silver/flagged", "text", "excluded_as")} == {None}
    run_stages("flag", path, flag={"exclude": ["mostly_non_letters"]})
    found = left("silver/flagged", "text", "excluded_as")
    assert [row for row in found if row[1]] == [("!!!!", "mostly_non_letters")]
