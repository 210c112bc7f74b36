"""Tokens go into rows and come back to where they were, whatever the lengths of the texts."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from training.families.token_rows import TokenRows

HEADS, WIDTH = 3, 4
HIDDEN = HEADS * WIDTH

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def make_mask(lengths: list[int], padding: int = 0) -> torch.Tensor:
    places = torch.arange(max(lengths) + padding)
    return (places < torch.tensor(lengths)[:, None]).long()


def number(mask: torch.Tensor) -> TokenRows:
    return TokenRows(mask, heads=HEADS, width=WIDTH)


@given(lengths, st.integers(0, 5))
def test_rows_are_the_tokens_of_all_texts_one_after_another(lengths: list[int], padding: int) -> None:
    mask = make_mask(lengths, padding)
    ids = torch.arange(mask.numel()).view_as(mask)
    rows = number(mask)
    expected = [ids[text, place] for text, length in enumerate(lengths) for place in range(length)]
    assert rows.pack(ids).tolist() == [expected]
    assert rows.places.tolist() == [place for length in lengths for place in range(length)]


@given(lengths, st.integers(0, 5))
def test_unpacking_brings_each_token_back_and_finds_the_first(lengths: list[int], padding: int) -> None:
    mask = make_mask(lengths, padding)
    rows = number(mask)
    states = torch.rand(1, sum(lengths), HIDDEN)
    unpacked = rows.unpack(states)
    torch.testing.assert_close(unpacked[mask.bool()][None], states)
    torch.testing.assert_close(rows.first(states), unpacked[:, :1])


@given(lengths, st.sampled_from([2, 3]))
def test_heads_are_split_and_joined_without_loss(lengths: list[int], parts: int) -> None:
    mask = make_mask(lengths)
    rows = number(mask)
    states = torch.rand(1, sum(lengths), parts * HIDDEN)
    split = rows.split(states, parts)
    assert {part.shape for part in split} == {(len(lengths), HEADS, max(lengths), WIDTH)}
    torch.testing.assert_close(torch.cat([rows.join(part) for part in split], dim=-1), states)


@given(lengths, st.integers(0, 5))
def test_attention_sees_the_tokens_of_its_own_text_alone(lengths: list[int], padding: int) -> None:
    rows = number(make_mask(lengths, padding))
    states = torch.rand(1, sum(lengths), 3 * HIDDEN)
    together = rows.join(rows.attend(*rows.split(states, 3)))
    begin = 0
    for length in lengths:
        alone = number(make_mask([length]))
        own = states[:, begin : begin + length]
        expected = alone.join(alone.attend(*alone.split(own, 3)))
        torch.testing.assert_close(together[:, begin : begin + length], expected)
        begin += length
