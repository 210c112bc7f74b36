"""The functions that SQL calls say of many texts what Python says of each."""

from itertools import groupby

import pyarrow as pa  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from bento import text as words
from training.engines import functions

PIECES = st.sampled_from(
    [
        "good",
        "Caf\u00e9",
        " ",
        "  ",
        "<br>",
        "&amp;",
        "@me",
        "www.a.b",
        "http://c",
        "!!!!",
        "\U0001f600" * 3,
        "\n",
        "\u200b",
        "1/2",
        ";",
    ]
)
TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.lists(PIECES).map("".join)
TEXTS = st.lists(st.none() | TEXT)


@given(TEXTS)
def test_texts_are_normalised_as_the_server_does(texts: list[str | None]) -> None:
    found = functions.normalise(pa.array(texts, pa.string())).to_pylist()
    assert found == [None if text is None else words.normalise(text) for text in texts]


@given(TEXTS)
def test_keys_are_those_of_each_text(texts: list[str | None]) -> None:
    found = functions.row_key(pa.array(texts, pa.string())).to_pylist()
    assert found == [None if text is None else words.row_key(text) for text in texts]


@given(TEXTS)
def test_letters_are_counted_in_every_script(texts: list[str | None]) -> None:
    found = functions.letters(pa.array(texts, pa.string())).to_pylist()
    assert found == [None if text is None else sum(map(str.isalpha, text)) for text in texts]


@given(TEXTS)
def test_the_longest_run_does_not_reach_into_the_next_text(texts: list[str | None]) -> None:
    def longest(text: str) -> int:
        return max((len(list(run)) for character, run in groupby(text) if character != " "), default=0)

    found = functions.longest_run(pa.array(texts, pa.string())).to_pylist()
    assert found == [None if text is None else longest(text) for text in texts]


def test_a_slice_of_an_array_is_no_other_than_a_copy() -> None:
    texts = pa.array(["aaa", "b <br>", None, "cc"]).slice(1, 2)
    for function, _ in functions.FUNCTIONS.values():
        assert function(texts) == function(pa.array(texts.to_pylist(), pa.string()))
