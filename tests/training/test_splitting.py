"""A text's part follows from the text alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import InputError
from training.rows import Rows
from training.splitting import MIN_ROWS, part_of, split

SHARES = {"validation": 0.1, "test": 0.1}


def make_rows(count: int, labels: tuple[str, ...] = ("negative", "positive")) -> Rows:
    return Rows(
        [f"text {number}" for number in range(count)],
        [labels[number % len(labels)] for number in range(count)],
    )


def test_shares_hold_within_a_point() -> None:
    rows = make_rows(10_000)
    for label in ("negative", "positive"):
        for part, share in {"train": 0.8, **SHARES}.items():
            found = split(rows, SHARES, name="data")[part].count()[label]
            assert abs(found / 5000 - share) < 0.01


@given(st.integers(200, 400), st.integers(1, 200))
def test_new_rows_never_move_old_ones(before: int, added: int) -> None:
    few, many = (split(make_rows(count), SHARES, name="data") for count in (before, before + added))
    assert all(set(few[part].texts) <= set(many[part].texts) for part in few)


def test_every_row_lands_in_exactly_one_part() -> None:
    rows = make_rows(500)
    parts = split(rows, SHARES, name="data")
    together = [pair for part in parts.values() for pair in zip(part.texts, part.labels, strict=True)]
    assert sorted(together) == sorted(zip(rows.texts, rows.labels, strict=True))


@given(st.text(min_size=1))
def test_a_repeated_remark_does_not_leak(text: str) -> None:
    """Unless folding changes it further, letter case and punctuation do not matter."""
    spelt = f"  {text}!  "
    if "".join(filter(str.isalnum, text.casefold())):
        assert part_of(text, SHARES) == part_of(spelt, SHARES)


def test_without_a_test_share_there_is_no_such_part() -> None:
    assert set(split(make_rows(400), {"validation": 0.1}, name="data")) == {"train", "validation"}


def test_too_few_rows_say_how_many_are_needed() -> None:
    with pytest.raises(InputError, match=rf"at least {MIN_ROWS} of each label are needed, negative has 5"):
        split(make_rows(10), SHARES, name="data")
