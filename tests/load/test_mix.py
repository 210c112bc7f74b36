from itertools import islice
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load.mix import Question, ask, read_words


@pytest.fixture(scope="module")
def words() -> list[str]:
    return read_words()


def first(count: int, words: list[str], seed: int = 0) -> list[Question]:
    return list(islice(ask(words, seed), count))


@given(seed=st.integers(0, 2**32))
def test_the_same_seed_asks_the_same(seed: int, words: list[str]) -> None:
    assert first(20, words, seed) == first(20, words, seed)


def test_another_seed_asks_something_else(words: list[str]) -> None:
    assert first(20, words, seed=1) != first(20, words, seed=2)


@given(words=st.lists(st.sampled_from("abcdefgh"), min_size=4))
def test_no_text_comes_twice_before_the_words_run_out(words: list[str]) -> None:
    texts = [text for question in first(50, words) for text in question.texts]
    distinct = texts[: len(set(words)) ** 2]
    assert len(set(distinct)) == len(distinct)


def test_short_and_long_texts_and_batches_are_mixed(words: list[str]) -> None:
    questions = first(2000, words)
    lengths: dict[str, list[int]] = {}
    for question in questions:
        lengths.setdefault(question.kind, []).extend(len(text.split()) for text in question.texts)
    assert 12 <= median(lengths["short text"]) <= 16
    assert 100 <= median(lengths["long text"]) <= 140
    assert 12 <= median(lengths["batch"]) <= 16
    shares = {kind: sum(one.kind == kind for one in questions) / len(questions) for kind in lengths}
    assert shares["short text"] > shares["long text"] > shares["batch"] > 0.05


def test_one_text_goes_to_predict_and_several_go_to_batch() -> None:
    one = Question("short text", ["a film"], timeout_ms=None)
    assert (one.path, one.body) == ("/predict", '{"text": "a film"}')
    more = Question("batch", ["a film", "a book"], timeout_ms=None)
    assert (more.path, more.body) == ("/predict/batch", '{"texts": ["a film", "a book"]}')


def test_some_callers_say_how_long_they_wait(words: list[str]) -> None:
    waits = [question.headers.get("x-request-timeout-ms") for question in first(500, words)]
    assert 0.05 < waits.count("1000") / len(waits) < 0.2
    assert set(waits) == {None, "1000"}
