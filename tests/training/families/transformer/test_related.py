"""Related data comes through the data stages, and brings nothing that a model will be judged by."""

from pathlib import Path

import pytest

from bento.text import row_key
from training.errors import InputError
from training.families.transformer.related import read_related


def write(path: Path, *rows: str) -> str:
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return str(path)


def test_held_out_texts_and_other_labels_are_left_out(tmp_path: Path) -> None:
    one = write(
        tmp_path / "one.csv", "A fine film!,pos", "Dull.,negative", "It runs.,neutral", "Dull.,negative"
    )
    two = write(tmp_path / "two.csv", "Great.,positive", "So bad.,negative")
    rows = read_related([one, two], ("negative", "positive"), frozenset({row_key("a fine film")}))
    assert dict(zip(rows.texts, rows.labels, strict=True)) == {
        "Dull.": "negative",
        "Great.": "positive",
        "So bad.": "negative",
    }


def test_the_order_is_always_the_same(tmp_path: Path) -> None:
    lines = [f"text number {number},{('neg', 'pos')[number % 2]}" for number in range(50)]
    forth = read_related([write(tmp_path / "a.csv", *lines)], ("negative", "positive"), frozenset())
    back = read_related([write(tmp_path / "b.csv", *lines[::-1])], ("negative", "positive"), frozenset())
    assert forth == back


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "good,positive", "bad,negative")
    with pytest.raises(InputError, match="no row is left"):
        read_related([path], ("neutral",), frozenset())
