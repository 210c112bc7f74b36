"""Thousands of support vectors, as real data brings them, cost no precision."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from sklearn.svm import SVC

from bento.scorer import load_tokenizer
from training.families.embeddings import Reader, Vectors
from training.families.embeddings.encoder import load_encoder, make_reader
from training.families.svm.graph import build_graph, pair_coefficients
from training.rows import Rows

GAMMA = 1.0
VECTORS = 4000


def rbf(a: Vectors, b: Vectors) -> NDArray[np.float64]:
    return np.asarray(np.exp(-2 * GAMMA * (1 - a.astype(np.float64) @ b.astype(np.float64).T)))


@pytest.fixture(scope="module")
def texts(parts: dict[str, Rows]) -> list[str]:
    return parts["train"].texts[:100]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return make_reader(load_encoder(), max_tokens=64)


@pytest.fixture(scope="module")
def vectors(reader: Reader, texts: list[str]) -> Vectors:
    return reader.embed(texts)


@pytest.fixture(scope="module")
def support(vectors: Vectors) -> Vectors:
    """Vectors near those of real texts, none like another."""
    random = np.random.default_rng(0)
    near = vectors[random.integers(0, 100, VECTORS)]
    moved = near + random.normal(0, 0.5 / near.shape[1] ** 0.5, near.shape)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def svc(support: Vectors) -> SVC:
    """A machine that had to learn noise, so that nearly every vector counts."""
    labels = np.random.default_rng(1).choice(["negative", "neutral", "positive"], VECTORS)
    return SVC(kernel="precomputed", decision_function_shape="ovo").fit(rbf(support, support), labels)


def test_pair_coefficients_are_the_decision_function(svc: SVC, support: Vectors) -> None:
    kernel = rbf(support[:50], support)
    coefficients, intercepts = pair_coefficients(svc)
    ours = kernel[:, svc.support_] @ coefficients + intercepts
    np.testing.assert_allclose(ours, svc.decision_function(kernel), atol=1e-9)


def test_the_graph_agrees_with_scikit_learn_and_with_itself_in_any_batch(
    svc: SVC, support: Vectors, reader: Reader, texts: list[str], vectors: Vectors
) -> None:
    weights, bias = np.eye(3) * 3, np.zeros(3)
    graph = build_graph(
        reader.graph, support=support[svc.support_], svc=svc, gamma=GAMMA, head=(weights, bias)
    )
    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    tokenizer = load_tokenizer(reader.tokenizer)
    tokens = [tokenizer.encode(text).ids for text in texts]

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
