"""The grammar-generated corpus: fresh, balanced, without duplicates, and using all of its lexicon."""

import csv
import io
from collections import Counter

import pytest

from training import grammar

POLAR_FAMILIES = ("adjectives", "negatable", "verbs", "nouns", "reactions", "feelings", "felt")


@pytest.fixture(scope="module")
def made() -> tuple[grammar.Grammar, str]:
    maker = grammar.Grammar()
    return maker, grammar.render(maker)


@pytest.fixture(scope="module")
def rows(made: tuple[grammar.Grammar, str]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(made[1])))


def test_committed_corpus_is_fresh(made: tuple[grammar.Grammar, str]) -> None:
    assert grammar.CORPUS.read_bytes() == made[1].encode()


def test_no_text_twice(rows: list[dict[str, str]]) -> None:
    texts = Counter(row["text"].rstrip(".!?").lower() for row in rows)
    assert [text for text, count in texts.items() if count > 1] == []


def test_shares_of_labels(rows: list[dict[str, str]]) -> None:
    assert Counter(row["label"] for row in rows) == {"positive": 2400, "negative": 2400, "neutral": 1200}


def test_half_is_written_like_comments(rows: list[dict[str, str]]) -> None:
    plain = sum(row["text"] == row["text"].lower() for row in rows)
    assert 0.45 < plain / len(rows) < 0.55


def test_every_entry_is_used(made: tuple[grammar.Grammar, str]) -> None:
    maker, _ = made
    for name, entries in maker.lists.items():
        if name.startswith("frames."):
            used = {frame for frames in maker.uses.values() for frame in frames}
            assert set(entries) <= used, name
        else:
            assert [entry for entry in entries if not maker.uses[name, entry]] == [], name


def test_evaluative_entries_are_used_in_two_frames(made: tuple[grammar.Grammar, str]) -> None:
    maker, _ = made
    for name, entries in maker.lists.items():
        if name.startswith(POLAR_FAMILIES):
            assert [entry for entry in entries if len(set(maker.uses[name, entry])) < 2] == [], name


def test_no_entry_twice_in_a_list() -> None:
    for name, entries in grammar.load().items():
        assert [entry for entry, count in Counter(entries).items() if count > 1] == [], name


def test_no_word_in_both_polarities() -> None:
    sides: dict[str, set[str]] = {"positive": set(), "negative": set()}
    for name, entries in grammar.load().items():
        family, side = name.split(".")[0], name.split(".")[-1]
        if family in POLAR_FAMILIES:
            sides[side] |= {entry.lower() for entry in entries}
    assert sides["positive"] & sides["negative"] == set()


def test_enough_frames() -> None:
    listed = [frames for name, frames in grammar.load().items() if name.startswith("frames.")]
    assert sum(map(len, listed)) >= 120


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a awful film", "an awful film"),
        ("A honest book", "An honest book"),
        ("a useful app", "a useful app"),
        ("a uninspired plot", "an uninspired plot"),
        ("a one-note villain", "a one-note villain"),
    ],
)
def test_articles(given: str, wanted: str) -> None:
    assert grammar.articles(given) == wanted


def test_verb_agrees_with_its_subject() -> None:
    maker = grammar.Grammar()
    for _ in range(60):
        text = maker.fill("{A} <is|are> {+adj}", "film", "positive")
        subject = text.split(" is ")[0] if " is " in text else text.split(" are ")[0]
        kind = "singular" if " is " in text else "plural"
        assert subject in maker.lists[f"subjects.film.{kind}"]
