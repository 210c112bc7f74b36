"""Nothing unclear is learnt from, and nothing goes uncounted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.text import normalise
from training.cleaning import ALIASES, clean
from training.errors import InputError
from training.rows import RawRow


def raw(*pairs: tuple[str | None, str | None]) -> list[RawRow]:
    return [RawRow(text, label, "a.csv", place) for place, (text, label) in enumerate(pairs, start=2)]


GOOD, BAD = ("so good", "positive"), ("so bad", "negative")


def test_each_reason_is_counted() -> None:
    cleaned = clean(
        raw(
            GOOD,
            BAD,
            (None, "positive"),
            ("no label", None),
            (" <br> ", "positive"),
            ("so  good", "Positive"),
            ("both ways", "positive"),
            ("both ways", "negative"),
        ),
        name="data",
    )
    assert cleaned.rows.texts == ["so good", "so bad"]
    assert cleaned.read == 8
    assert cleaned.dropped == {
        "conflicting labels": 2,
        "duplicate": 1,
        "empty text": 1,
        "null label": 1,
        "null text": 1,
    }


def test_labels_may_be_short_and_in_any_case() -> None:
    cleaned = clean(raw(("a", "NEG"), ("b", " neu "), ("c", "Pos")), name="data")
    assert cleaned.rows.labels == ["negative", "neutral", "positive"]


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ((GOOD, ("b", "great")), r"unknown labels 'great' \(1 rows\), for example at a\.csv:3"),
        ((GOOD, ("b", "1")), "Numbers are not read"),
        ((GOOD, ("b", "positive")), "all 2 rows are positive; negative and positive are needed"),
        ((GOOD, ("b", "neutral")), "two classes must be negative and positive"),
        (((None, None),), "no row is left to learn from"),
    ],
)
def test_labels_that_do_not_fit_stop_everything(
    pairs: tuple[tuple[str | None, str | None], ...], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        clean(raw(*pairs), name="data")


TEXT = st.sampled_from(["good", " good", "GOOD", "bad", "table", "<br>", "", "good\n"])


@given(st.lists(st.tuples(st.none() | TEXT, st.none() | st.sampled_from(sorted(ALIASES)))))
def test_every_row_is_kept_or_counted(pairs: list[tuple[str | None, str | None]]) -> None:
    cleaned = clean(raw(GOOD, BAD, *pairs), name="data") if _has_both(pairs) else None
    if cleaned is None:
        return
    assert len(cleaned.rows) + sum(cleaned.dropped.values()) == cleaned.read == len(pairs) + 2
    assert len(set(cleaned.rows.texts)) == len(cleaned.rows)
    assert all(normalise(text) == text != "" for text in cleaned.rows.texts)


def _has_both(pairs: list[tuple[str | None, str | None]]) -> bool:
    """Say that no row contradicts the two that make the data usable."""
    return all(text is None or normalise(text) not in ("so good", "so bad") for text, _ in pairs)
