"""What the models read of a text."""

import hashlib
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.text import normalise, row_key

# Pieces that hide one another: an entity in a tag, a tag made of entities, invisible characters in between.
PIECES = st.sampled_from(
    [
        *("&amp;", "&lt;", "&", "amp;", "lt;", "&#x", "#60;", "<", ">", "b", "<br>", "http://", "www."),
        *("@", "user", ".", " ", "\t", "\u200b", "\u200d", "\uff06", "\uff0f", "\u2019", "A", "x"),
    ]
)
ANY_TEXT = st.one_of(
    st.text(), st.text(st.characters(codec=None)), st.lists(PIECES, max_size=14).map("".join)
)


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("Plain words stay, Case too.", "Plain words stay, Case too."),
        ("  white \t space\n\nis folded ", "white space is folded"),
        ("ﬁne \uff26ilm\u2026", "fine Film..."),
        ("don\u2019t \u201cquote\u201d me", 'don\'t "quote" me'),
        ("so <b>good</b><br />again", "so good again"),
        ("I &lt;3 fish &amp; chips", "I <3 fish & chips"),
        ("a < b and c > d", "a < b and c > d"),
        ("see https://example.org/a?b=c or www.example.org", "see http or http"),
        ("thanks @some_one!", "thanks @user!"),
        ("write to me@example.org", "write to me@example.org"),
        ("nul\x00byte", "nul byte"),
        ("zero\u200bwidth \ufeffmark", "zerowidth mark"),
        ("family 👩\u200d👧 stays", "family 👩\u200d👧 stays"),
        ("half a pair \ud83d", "half a pair \ufffd"),
        ("&amp;lt;br&amp;gt;", ""),
        (" \x00\u200b<br>", ""),
    ],
)
def test_rewrites(text: str, normalised: str) -> None:
    assert normalise(text) == normalised


@given(ANY_TEXT)
def test_normalising_again_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(ANY_TEXT)
def test_the_result_is_clean_and_can_be_encoded(text: str) -> None:
    result = normalise(text)
    result.encode()
    assert result == " ".join(result.split())
    assert "\x00" not in result


def test_nested_entities_are_resolved_however_deep() -> None:
    assert normalise("&" + "amp;" * 5000 + "lt;3") == "<3"
    assert normalise("&" + "amp" * 5000 + "lt;3") == "<3"


@pytest.mark.parametrize(
    "hide",
    [
        lambda depth: "&" + "amp;" * depth,
        lambda depth: "\u00e9&" + "amp" * depth,
        lambda depth: "&" + "#38;" * depth,
        lambda depth: "&" * depth + "#97;mp;" * depth,
        lambda depth: "<a" * depth + ">" * depth,
        lambda depth: "<a " * depth + "x>" * depth,
    ],
)
def test_what_hides_in_what_costs_rounds_not_squares(hide: Callable[[int], str]) -> None:
    """Counted, not timed: however deep the text is nested, it is looked through a fixed number of times."""
    looks = 0

    def count(event: str, function: object) -> None:
        nonlocal looks
        looks += getattr(function, "__name__", "") in ("unescape", "normalize", "subn", "sub", "search")

    sys.setprofile(lambda _frame, event, argument: count(event, argument) if event == "c_call" else None)
    try:
        once = normalise(hide(2000))
    finally:
        sys.setprofile(None)
    assert looks < 200
    assert normalise(once) == once


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_key_is_that_of_the_letters_and_digits(text: str) -> None:
    """The short way for ASCII is no other than the long one."""
    form = "".join(filter(str.isalnum, text.casefold())) or text
    assert row_key(text) == hashlib.sha256(form.encode()).hexdigest()[:32]


@pytest.mark.parametrize("text", ["so good", "So, GOOD!", "  so-good  "])
def test_spellings_share_a_key(text: str) -> None:
    assert row_key(text) == row_key("so good")


def test_texts_without_letters_have_keys_of_their_own() -> None:
    assert len({row_key(text) for text in (":)", ":(", "!", "")}) == 4
