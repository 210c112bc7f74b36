"""Each kind of text is found by what it is."""

import pytest

from training.evaluate_slices import slices

TEXTS = [
    "Great!",
    "I didn't like it, I\u2019ve seen better",
    "I dont like it at all sadly today",
    "The notable film has another knot",
    "So good \U0001f600",
    " ".join(["word"] * 30),
]


def found(name: str) -> list[int]:
    by_name = dict(slices(TEXTS, ["a.csv"] * 3 + ["b.csv"] * 3))
    return by_name[name].nonzero()[0].tolist()


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("with a negation", [1, 2]),
        ("without a negation", [0, 3, 4, 5]),
        ("with emoji", [4]),
        ("up to 5 words", [0, 4]),
        ("6 to 25 words", [1, 2, 3]),
        ("over 25 words", [5]),
        ("source b.csv", [3, 4, 5]),
    ],
)
def test_a_slice_holds_its_rows(name: str, rows: list[int]) -> None:
    assert found(name) == rows


def test_a_slice_of_all_or_none_says_nothing() -> None:
    assert [name for name, _ in slices(["good film", "bad film"], ["a.csv", "a.csv"])] == []
