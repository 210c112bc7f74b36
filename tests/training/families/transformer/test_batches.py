"""Every text is learnt from, in batches that hold little padding, as long as nearly all texts are."""

import random

from hypothesis import given
from hypothesis import strategies as st

from training.families.transformer.batches import batches, fitting_length


@given(st.lists(st.integers(1, 256), max_size=300), st.integers(1, 40), st.integers(0, 9))
def test_an_epoch_holds_every_row_once(lengths: list[int], size: int, seed: int) -> None:
    found = list(batches(lengths, size, random.Random(seed)))
    assert sorted(row for batch in found for row in batch) == list(range(len(lengths)))
    assert max(map(len, found), default=0) <= size
    assert len(found) == -(-len(lengths) // size)


def test_a_batch_holds_texts_of_similar_lengths() -> None:
    source = random.Random(0)
    lengths = [source.randint(1, 256) for _ in range(2000)]
    found = list(batches(lengths, 32, random.Random(0)))
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in found)
    assert padded < 1.1 * sum(lengths)
    longest = [max(lengths[row] for row in batch) for batch in found]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))  # yet in random order


@given(st.lists(st.integers(2, 600), min_size=1, max_size=400), st.integers(8, 512))
def test_nearly_all_texts_are_read_whole_unless_the_limit_is_lower(lengths: list[int], most: int) -> None:
    length = fitting_length(lengths, most)
    assert 8 <= length <= most
    assert length == most or sum(one <= length for one in lengths) >= 0.99 * len(lengths)
    assert length == most or length % 8 == 0


def test_one_long_text_among_short_ones_does_not_count() -> None:
    assert fitting_length([20] * 199 + [500], 256) == 24
