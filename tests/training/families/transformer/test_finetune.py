"""Every text is learnt from, in batches that hold little padding, and the same seed gives the same model."""

import random

import torch
from hypothesis import given
from hypothesis import strategies as st

from training.families.transformer.finetune import _batches, finetune
from training.rows import Rows


@given(st.lists(st.integers(1, 256), max_size=300), st.integers(1, 40), st.integers(0, 9))
def test_an_epoch_holds_every_row_once(lengths: list[int], size: int, seed: int) -> None:
    batches = list(_batches(lengths, size, random.Random(seed)))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert max(map(len, batches), default=0) <= size


def test_a_batch_holds_texts_of_similar_lengths() -> None:
    source = random.Random(0)
    lengths = [source.randint(1, 256) for _ in range(2000)]
    batches = list(_batches(lengths, 32, random.Random(0)))
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    longest = [max(lengths[row] for row in batch) for batch in batches]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))  # yet in random order


def test_the_same_seed_gives_the_same_model() -> None:
    rows = Rows(["good", "bad", "a fine film", "an awful one"], ["positive", "negative"] * 2)

    def weights(seed: int) -> torch.Tensor:
        model, _ = finetune(
            rows,
            ("negative", "positive"),
            epochs=1,
            learning_rate=1e-4,
            warmup_share=0.0,
            weight_decay=0.01,
            batch_size=2,
            max_tokens=16,
            seed=seed,
        )
        assert model.config.id2label == {0: "negative", 1: "positive"}
        return model.classifier.weight.detach()

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
