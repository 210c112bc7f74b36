"""Every raw row is in bronze as it stood, with one label."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.errors import InputError
from training.reading import place_of
from training.records import StageReport

Row = tuple[Any, ...]
Write = Callable[..., str]
Run = Callable[..., StageReport]
Left = Callable[..., list[Row]]

STARS = ("text", "stars")


def test_labels_may_be_short_and_in_any_case(write: Write, run_stages: Run, left: Left) -> None:
    path = write([("a", "NEG"), ("b", " neu\t"), ("c", "Pos"), ("d", "great"), ("e", "")])
    run_stages("ingest", path)
    assert [label for _, label in left("bronze", "text", "label")] == [
        "negative",
        "neutral",
        "positive",
        "great",
        None,
    ]


@pytest.mark.parametrize(
    ("rating", "label", "stars"),
    [
        ("1", "negative", 1),
        ("2.0", "negative", 2),
        (" 3 ", "neutral", 3),
        ("4.00", "positive", 4),
        ("5", "positive", 5),
        ("6", "6", None),
        ("4.5", "4.5", None),
        ("five", "five", None),
        ("NaN", "NaN", None),
        ("", None, None),
    ],
)
def test_ratings_become_labels(
    write: Write,
    run_stages: Run,
    left: Left,
    rating: str,
    label: str | None,
    stars: int | None,
) -> None:
    path = write([("some text", rating)], header=STARS)
    run_stages("ingest", path, columns={"label": None, "rating": "stars"})
    assert left("bronze", "label", "stars") == [(label, stars)]


def test_labels_beside_ratings_stay_what_they_are(write: Write, run_stages: Run, left: Left) -> None:
    path = write([("some text", "negative", "5")], header=("text", "label", "stars"))
    run_stages("ingest", path, columns={"rating": "stars"})
    assert left("bronze", "label", "stars") == [("negative", 5)]


def test_the_rows_of_each_file_are_counted_and_know_their_place(
    write: Write,
    run_stages: Run,
    left: Left,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "reviews"
    folder.mkdir()
    (folder / "b.csv").write_text("text,label\nthree,positive\n")
    (folder / "a.csv").write_text('text,label\n"one\nmore",positive\ntwo,negative\n')
    (folder / "empty.csv").write_text("text,label\n")
    test = write([("four", "positive")], name="test.csv")
    report = run_stages("ingest", str(folder), test=test)
    assert report.read == {"data": 3, "test": 1}
    assert report.counts == {"data": {"a.csv": 2, "b.csv": 1, "empty.csv": 0}, "test": {"test.csv": 1}}
    places = [(text, *place_of(row_id)) for text, row_id in left("bronze", "text", "row_id")]
    assert places == [("four", 3, 2), ("one\nmore", 0, 2), ("three", 1, 2), ("two", 0, 4)]


def test_a_file_that_cannot_be_read_leaves_what_was_there(
    write: Write,
    run_stages: Run,
    left: Left,
    root: Path,
) -> None:
    run_stages("ingest", write([("one", "positive")]))
    broken = write([("two", "positive"), ("a", "b", "c")], name="broken.csv")
    with pytest.raises(InputError, match="line 3 has 3 fields"):
        run_stages("ingest", broken)
    assert left("bronze", "text") == [("one",)]
    assert sorted(path.name for path in root.iterdir()) == ["bronze", "reports"]
