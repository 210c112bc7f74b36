"""A numeric form gives nearly the same numbers, and a row's are its own."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.families.torch_graph import export_graph
from training.numeric_forms import int8_rows

VOCABULARY = 2000
IDS = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=12)


class Model(torch.nn.Module):
    """A table, two linear layers that read the same states, and two products that must stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = torch.nn.Embedding(VOCABULARY, 64, padding_idx=0)  # that row is zeros
        self.left, self.right = torch.nn.Linear(64, 48), torch.nn.Linear(64, 48)
        self.register_buffer("kernel", torch.randn(48, 24) / 7)
        self.register_buffer("weights", torch.randn(24, 3).double())
        self.register_buffer("bias", torch.randn(3).double())

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states = self.table(input_ids)
        mixed = self.left(states) * torch.sigmoid(self.right(states)) * attention_mask[..., None]
        pooled = mixed.sum(1) / attention_mask.sum(1, keepdim=True).clamp(min=1)
        return torch.softmax((pooled @ self.kernel).double() @ self.weights + self.bias, dim=1).float()


@pytest.fixture(scope="module")
def exact() -> bytes:
    return export_graph(Model())


@pytest.fixture(scope="module")
def quick(exact: bytes) -> bytes:
    graph = int8_rows(exact)
    assert graph is not None
    return graph


@pytest.fixture(scope="module")
def session(quick: bytes) -> ort.InferenceSession:
    return ort.InferenceSession(quick, providers=["CPUExecutionProvider"])


def score(session: ort.InferenceSession, texts: list[list[int]], padding: int = 0) -> NDArray[np.float32]:
    ids, mask = np.zeros((2, len(texts), max(map(len, texts)) + padding), np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    (scores,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    return np.asarray(scores)


def test_linear_layers_and_tables_become_integers_and_nothing_else(quick: bytes) -> None:
    model = onnx.load_from_string(quick)
    onnx.checker.check_model(model)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 2
    assert kinds.count("QuantizeLinear") == 1  # of states that both layers read
    assert kinds.count("MatMul") == 2
    large = {tensor.name: tensor.data_type for tensor in model.graph.initializer if np.prod(tensor.dims) > 64}
    assert large.pop("kernel") == onnx.TensorProto.FLOAT
    assert large.pop("weights") == onnx.TensorProto.DOUBLE
    scales = [name for name in large if name.endswith("/scale")]
    assert {large[name] for name in large if name not in scales} == {onnx.TensorProto.INT8}


@given(st.lists(IDS, min_size=1, max_size=6))
def test_scores_are_nearly_those_of_single_precision(
    exact: bytes, session: ort.InferenceSession, texts: list[list[int]]
) -> None:
    original = ort.InferenceSession(exact, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(score(session, texts), score(original, texts), atol=0.05)


@given(st.lists(IDS, min_size=1, max_size=6), st.integers(0, 20))
def test_a_row_depends_neither_on_its_mates_nor_on_padding(
    session: ort.InferenceSession, texts: list[list[int]], padding: int
) -> None:
    alone = np.concatenate([score(session, [text]) for text in texts])
    np.testing.assert_allclose(score(session, texts, padding), alone, atol=1e-5)


def test_a_graph_without_linear_layers_has_no_such_form() -> None:
    class Bare(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return torch.softmax((input_ids * attention_mask).float(), dim=1)

    assert int8_rows(export_graph(Bare())) is None
