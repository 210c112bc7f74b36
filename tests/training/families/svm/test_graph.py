"""Thousands of support vectors, as real data brings them, cost no precision."""

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from sklearn.svm import SVC

from training.families.svm.graph import Classifier, pair_coefficients
from training.families.svm.reader import Encoder, embed, load_encoder
from training.families.torch_graph import export_graph
from training.rows import Rows

GAMMA = 1.0
VECTORS = 4000


def rbf(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-2 * GAMMA * (1 - a.astype(np.float64) @ b.astype(np.float64).T)))


@pytest.fixture(scope="module")
def encoder_and_tokens(parts: dict[str, Rows]) -> tuple[Encoder, list[list[int]], NDArray[np.float32]]:
    """The encoder, some texts as it reads them, and what it makes of them."""
    encoder, tokenizer = load_encoder(max_tokens=64)
    texts = parts["train"].texts[:100]
    return encoder, [tokenizer.encode(text).ids for text in texts], embed(encoder, tokenizer, texts)


@pytest.fixture(scope="module")
def support(encoder_and_tokens: tuple[Encoder, list[list[int]], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Vectors near those of real texts, none like another."""
    random = np.random.default_rng(0)
    near = encoder_and_tokens[2][random.integers(0, 100, VECTORS)]
    moved = near + random.normal(0, 0.5 / near.shape[1] ** 0.5, near.shape)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def svc(support: NDArray[np.float32]) -> SVC:
    """A machine that had to learn noise, so that nearly every vector counts."""
    labels = np.random.default_rng(1).choice(["negative", "neutral", "positive"], VECTORS)
    return SVC(kernel="precomputed", decision_function_shape="ovo").fit(rbf(support, support), labels)


def test_pair_coefficients_are_the_decision_function(svc: SVC, support: NDArray[np.float32]) -> None:
    kernel = rbf(support[:50], support)
    coefficients, intercepts = pair_coefficients(svc)
    ours = kernel[:, svc.support_] @ coefficients + intercepts
    np.testing.assert_allclose(ours, svc.decision_function(kernel), atol=1e-9)


def test_the_graph_agrees_with_scikit_learn_and_with_itself_in_any_batch(
    svc: SVC,
    support: NDArray[np.float32],
    encoder_and_tokens: tuple[Encoder, list[list[int]], NDArray[np.float32]],
) -> None:
    encoder, tokens, vectors = encoder_and_tokens
    weights, bias = np.eye(3) * 3, np.zeros(3)
    classifier = Classifier(
        encoder, support=support[svc.support_], svc=svc, gamma=GAMMA, head=(weights, bias)
    )
    session = ort.InferenceSession(export_graph(classifier), providers=["CPUExecutionProvider"])

    def score(rows: list[list[int]]) -> NDArray[np.float32]:
        ids, mask = np.zeros((2, len(rows), max(map(len, rows))), np.int64)
        for row, text in enumerate(rows):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        (scores,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
        return np.asarray(scores)

    alone = np.concatenate([score([row]) for row in tokens])
    logits = svc.decision_function(rbf(vectors, support)) @ weights + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(alone, expected, atol=1e-5)
    np.testing.assert_allclose(score(tokens), alone, atol=1e-5)
