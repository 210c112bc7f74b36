"""What a family exports computes what its training library does, whatever the text and its batch mates."""

from itertools import pairwise

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bento.scorer import load_tokenizer
from bento.text import normalise
from training.families import Fitted
from training.rows import Rows

ODD = [
    "",
    "😀",
    "👩\u200d👩\u200d👧 ❤️ 👍🏽",
    "café naïve Ünïcödé ΑΒΓ 東京 ทดสอบ",
    "[PAD] [CLS] [SEP] [UNK] [MASK]",
    "don't can't won't",
    "x" * 5000,
    "good bad " * 625,
    "a",
    "!!! ??? ...",
    "\U0001d568\U0001d560\U0001d568 \ufb01ne",
]
TOLERANCE = 1e-4
ALONE_TOLERANCE = 1e-5


class Exported:
    """The exported files, run as the scorer does."""

    def __init__(self, fitted: Fitted) -> None:
        self.tokenizer = load_tokenizer(fitted.tokenizer)
        self.session = ort.InferenceSession(fitted.graph, providers=["CPUExecutionProvider"])

    def score(self, texts: list[str], extra_padding: int = 0) -> NDArray[np.float32]:
        encoded = [self.tokenizer.encode(normalise(text)).ids for text in texts]
        width = max(1, *map(len, encoded)) + extra_padding
        ids, mask = np.zeros((2, len(texts), width), np.int64)
        for row, tokens in enumerate(encoded):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        (scores,) = self.session.run(None, {"input_ids": ids, "attention_mask": mask})
        return np.asarray(scores)


@pytest.fixture(scope="session")
def exported(fitted: Fitted) -> Exported:
    return Exported(fitted)


def test_it_agrees_with_the_training_library_on_500_texts(
    fitted: Fitted, exported: Exported, parts: dict[str, Rows]
) -> None:
    texts = [text for part in parts.values() for text in part.texts]
    texts = [*ODD, *texts, *(" ".join(pair) for pair in pairwise(texts))]
    texts = [normalise(text) for text in texts[:500]]
    assert len(texts) == 500
    ours = np.concatenate([exported.score([text]) for text in texts])
    np.testing.assert_allclose(ours, fitted.predict_proba(texts), atol=TOLERANCE)


def test_scores_are_probabilities(exported: Exported) -> None:
    scores = exported.score(ODD)
    assert (scores >= 0).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(mates=st.lists(st.sampled_from(ODD), max_size=4), padding=st.integers(0, 40), which=st.integers(0, 10))
def test_scores_depend_neither_on_batch_mates_nor_on_padding(
    exported: Exported, mates: list[str], padding: int, which: int
) -> None:
    text = ODD[which]
    alone = exported.score([text])
    together = exported.score([text, *mates], padding)[:1]
    np.testing.assert_allclose(together, alone, atol=ALONE_TOLERANCE)
    assert together.argmax() == alone.argmax()


def test_it_learnt_something(fitted: Fitted, parts: dict[str, Rows]) -> None:
    train = parts["train"]
    said = fitted.predict_proba([normalise(text) for text in train.texts]).argmax(axis=1)
    truth = [("negative", "neutral", "positive").index(label) for label in train.labels]
    assert (said == truth).mean() > 0.8


def test_the_tokenizer_cuts_where_the_family_says(fitted: Fitted, exported: Exported) -> None:
    assert len(exported.tokenizer.encode("good " * 2000).ids) == fitted.max_tokens
