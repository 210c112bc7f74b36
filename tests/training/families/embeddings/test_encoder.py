"""Embeddings are of unit length, and the graph that makes them agrees with the model it was made of."""

import numpy as np
import pytest
import torch

from training.families import minilm
from training.families.embeddings import Reader
from training.families.embeddings.encoder import Encoder, embed_to_learn, load_encoder, make_reader

MAX_TOKENS = 16
TEXTS = ["good", "the parcel arrived on tuesday", "not bad at all " * 9, "", "worst purchase this year"]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="module")
def reader(encoder: Encoder) -> Reader:
    return make_reader(encoder, MAX_TOKENS)


def test_the_graph_embeds_as_the_model_does(encoder: Encoder, reader: Reader) -> None:
    tokenizer = minilm.load_tokenizer(MAX_TOKENS)
    with torch.inference_mode():
        expected = encoder(*minilm.pad([tokenizer.encode(text).ids for text in TEXTS]))
    np.testing.assert_allclose(reader.embed(TEXTS), expected, atol=1e-5)


def test_an_embedding_has_unit_length_and_depends_on_its_text_alone(reader: Reader) -> None:
    together = reader.embed(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([reader.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_what_is_beyond_the_limit_is_not_read(reader: Reader) -> None:
    assert reader.max_tokens == MAX_TOKENS
    longer = reader.embed([f"{TEXTS[2]} and more of it"])
    np.testing.assert_allclose(longer, reader.embed([TEXTS[2]]), atol=1e-5)


def test_what_is_learnt_from_is_nearly_what_is_served(encoder: Encoder, reader: Reader) -> None:
    quick = embed_to_learn(encoder, reader, TEXTS)
    np.testing.assert_allclose(np.linalg.norm(quick, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose((quick * reader.embed(TEXTS)).sum(axis=1), 1, atol=1e-3)
