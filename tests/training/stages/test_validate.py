"""A row that breaks the contract stops everything with a message that shows it, or goes to quarantine."""

from collections.abc import Callable
from typing import Any

import pytest

from training.errors import InputError
from training.records import StageReport

Row = tuple[Any, ...]
Write = Callable[..., str]
Run = Callable[..., StageReport]
Left = Callable[..., list[Row]]

GOOD, BAD = ("so good", "positive"), ("so bad", "negative")
STARS = {"columns": {"label": None, "rating": "stars"}}


def test_a_violation_names_column_rule_count_and_three_rows(write: Write, run_stages: Run) -> None:
    rows = [GOOD, BAD, *((f"text {number}", "great") for number in range(4))]
    with pytest.raises(InputError) as caught:
        run_stages("validate", write(rows, header=("text", "mood")), columns={"label": "mood"})
    assert str(caught.value) == (
        "reviews.csv: column mood must be negative, neutral, positive (neg, neu, pos for short, in any "
        "letter case): 4 rows are not, reviews.csv:4 'great', reviews.csv:5 'great', reviews.csv:6 'great'. "
        "Mend the rows; or name another column (--label, --rating; with make LABEL=, RATING=); or leave such "
        "rows out, with violations: quarantine below data.validate in params.yaml"
    )


def test_every_broken_rule_is_named(write: Write, run_stages: Run) -> None:
    rows = [(*GOOD, "5"), ("so " * 40, "negative", "1"), ("text", "positive", "A shifted, column")]
    path = write(rows, header=("text", "label", "stars"))
    with pytest.raises(InputError) as caught:
        run_stages("validate", path, columns={"rating": "stars"}, validate={"max_chars": 100})
    assert "column stars must be a whole number from 1 to 5: 1 rows are not, reviews.csv:4" in str(
        caught.value
    )
    assert "column text must be at most 100 characters long: 1 rows are not, reviews.csv:3" in str(
        caught.value
    )


def test_numbers_for_labels_get_a_hint(write: Write, run_stages: Run) -> None:
    with pytest.raises(InputError, match=r"numbers are no labels.*named by --rating .*data\.columns\.rating"):
        run_stages("validate", write([GOOD, BAD, ("text", "1")]))


def test_in_quarantine_rows_are_counted_and_kept(write: Write, run_stages: Run, left: Left) -> None:
    rows = [("so good", "5"), ("so bad", "1"), ("shifted", "Kettle"), ("off", "0")]
    path = write(rows, header=("text", "stars"))
    report = run_stages("validate", path, **STARS, validate={"violations": "quarantine"})
    assert report.dropped["data"] == {"quarantine: rating": 2}
    assert report.counts["data"] == {"negative": 1, "positive": 1}
    assert left("quarantine", "text", "found", "violates") == [
        ("off", "0", "rating"),
        ("shifted", "Kettle", "rating"),
    ]
    run_stages("validate", write(rows[:2], header=("text", "stars")), **STARS)
    assert left("quarantine", "text") == []


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "no row is left to learn from"),
        ([("", "")], "no row is left to learn from"),
        ([GOOD, ("b", "positive")], "all 2 rows are positive; negative and positive are needed"),
        ([GOOD, ("b", "neutral")], "two classes must be negative and positive"),
    ],
)
def test_labels_that_do_not_fit_stop_everything(
    write: Write, run_stages: Run, rows: list[tuple[str, str]], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        run_stages("validate", write(rows))


def test_a_test_label_that_was_never_learnt_is_refused(write: Write, run_stages: Run) -> None:
    test = write([("so so", "neutral"), ("fine", "positive")], name="test.csv")
    with pytest.raises(InputError, match=r"test\.csv: has rows labelled neutral, reviews\.csv has none"):
        run_stages("validate", write([GOOD, BAD]), test=test)


def test_a_test_file_without_rows_is_refused(write: Write, run_stages: Run, left: Left) -> None:
    test = write([("", "positive")], name="test.csv")
    with pytest.raises(InputError, match=r"test\.csv: no row is left to test on"):
        run_stages("validate", write([GOOD, BAD]), test=test)


def test_a_bad_rating_is_not_hidden_by_a_good_copy(write: Write, run_stages: Run) -> None:
    rows = [(*GOOD, "5"), (*BAD, "1"), (*BAD, "Kettle")]
    with pytest.raises(InputError, match=r"column stars must be .* 1 rows are not, reviews\.csv:3 'Kettle'"):
        run_stages("validate", write(rows, header=("text", "label", "stars")), columns={"rating": "stars"})
