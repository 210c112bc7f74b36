"""The texts: deterministic, unique, as long as is said."""

import json
from pathlib import Path

import numpy as np

from benchmarks.contenders import Pair
from benchmarks.corpus import MAX_TOKENS, MEDIAN_TOKENS, MIN_TOKENS, SIGMA, make_texts
from bento.scorer import load_tokenizer

WORDS = [f"word{number}" for number in range(500)]


def test_a_seed_gives_the_same_texts_and_another_seed_others() -> None:
    first = make_texts(WORDS, 300, (1, 32))

    assert make_texts(WORDS, 300, (1, 32)) == first
    assert not set(make_texts(WORDS, 300, (2, 32))) & set(first)


def test_no_text_comes_twice() -> None:
    few = [f"word{number}" for number in range(9)]  # so few that short texts would repeat

    assert len(set(make_texts(few, 5_000, (1,)))) == 5_000


def test_lengths_are_log_normal_within_their_bounds() -> None:
    lengths = np.array([len(text.split()) + 2 for text in make_texts(WORDS, 20_000, (3,))])

    assert lengths.min() >= MIN_TOKENS
    assert lengths.max() <= MAX_TOKENS
    assert np.median(lengths) == MEDIAN_TOKENS
    middle = lengths[(lengths > MIN_TOKENS) & (lengths < MAX_TOKENS)]
    assert abs(np.log(middle).std() - SIGMA) < 0.05


def test_words_are_of_the_training_corpus_and_one_token_each(words_file: Path, pair: Pair) -> None:
    words = json.loads(words_file.read_text())
    tokenizer = load_tokenizer((pair.package / "tokenizer.json").read_bytes())

    assert len(words) > 100
    assert words == sorted(set(words))
    assert {len(tokenizer.encode(word, add_special_tokens=False)) for word in words} == {1}
