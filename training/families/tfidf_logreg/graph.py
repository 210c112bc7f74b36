"""TF-IDF and logistic regression as an ONNX graph over token ids, without string operators."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET = 17
_OPSET_ML = 3
_IR_VERSION = 9


def build_graph(
    columns: Mapping[int, int],
    *,
    vocabulary: int,
    idf: NDArray[np.float64],
    weights: NDArray[np.float64],
    bias: NDArray[np.float64],
) -> bytes:
    """Return the graph.

    A term's count is taken where the term stands: every position asks how many positions of its text hold
    the same term, and gives the term's weight divided by that number. Position by position this sums to what
    a sparse matrix gives, with nothing but look-ups and comparisons.

    Args:
        columns: Column of each term, by the term's number (see `reader.features`).
        vocabulary: How many tokens there are.
        idf: Inverse document frequency [columns].
        weights: Coefficients [columns, labels].
        bias: Intercepts [labels].
    """
    # Column 0 is "no term": padding, unknown words, and pairs that were too rare to learn.
    numbers = np.fromiter(columns, np.int64, len(columns))
    places = np.fromiter(columns.values(), np.int64, len(columns)) + 1
    constants: dict[str, NDArray[Any]] = {
        "idf": np.concatenate([[0.0], idf]).astype(np.float32),
        "weights": np.concatenate([np.zeros((1, len(bias))), weights]).astype(np.float32),
        "bias": bias.astype(np.float32),
        "vocabulary": np.array(vocabulary, np.int64),
        "start": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "last": np.array([-1], np.int64),
        "end": np.array([np.iinfo(np.int64).max], np.int64),
        "tokens_axis": np.array([1], np.int64),
        "axis_2": np.array([2], np.int64),
        "one": np.array(1.0, np.float32),
        "tiny": np.array(1e-12, np.float32),
    }
    nodes = [
        *_terms(numbers, places),
        *_counts(),
        *_weighted_sum(),
    ]
    int64, float32 = TensorProto.INT64, TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "tfidf",
        [
            helper.make_tensor_value_info("input_ids", int64, ["batch", "tokens"]),
            helper.make_tensor_value_info("attention_mask", int64, ["batch", "tokens"]),
        ],
        [helper.make_tensor_value_info("probabilities", float32, ["batch", len(bias)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _OPSET_ML)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="valence")
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _terms(numbers: NDArray[np.int64], places: NDArray[np.int64]) -> list[onnx.NodeProto]:
    """Number every token and pair of neighbours, and look up its column: `terms` [batch, 2*tokens-1]."""
    return [
        _node("Mul", "input_ids attention_mask", "words"),
        _node("Slice", "words start last tokens_axis", "firsts"),
        _node("Slice", "words second end tokens_axis", "seconds"),
        _node("Mul", "firsts vocabulary", "shifted"),
        _node("Add", "shifted seconds", "numbered"),
        # A pair with padding in it is no pair; with an unknown word in it, it is in no table.
        _node("Slice", "attention_mask second end tokens_axis", "mask_seconds"),
        _node("Mul", "numbered mask_seconds", "pairs"),
        _node("Concat", "words pairs", "found", axis=1),
        _node(
            "LabelEncoder",
            "found",
            "terms",
            domain="ai.onnx.ml",
            keys_int64s=numbers.tolist(),
            values_int64s=places.tolist(),
            default_int64=0,
        ),
    ]


def _counts() -> list[onnx.NodeProto]:
    """Count how often the term at each position occurs in its text: `counts`, at least 1."""
    return [
        _node("Unsqueeze", "terms axis_2", "rows"),
        _node("Unsqueeze", "terms tokens_axis", "columns"),
        _node("Equal", "rows columns", "same"),
        _node("Cast", "same", "same_as_number", to=TensorProto.FLOAT),
        _node("ReduceSum", "same_as_number axis_2", "counts", keepdims=0),
    ]


def _weighted_sum() -> list[onnx.NodeProto]:
    """Sublinear TF-IDF of unit length, times the coefficients, as probabilities."""
    return [
        _node("Log", "counts", "log_counts"),
        _node("Add", "log_counts one", "frequency"),
        _node("Gather", "idf terms", "term_idf"),
        _node("Mul", "frequency term_idf", "tfidf"),
        _node("Div", "tfidf counts", "share"),
        _node("Mul", "tfidf share", "squares"),
        _node("ReduceSum", "squares tokens_axis", "squared_length", keepdims=1),
        _node("Max", "squared_length tiny", "positive_length"),  # a text without terms has length 0
        _node("Sqrt", "positive_length", "length"),
        _node("Div", "share length", "unit_share"),
        _node("Unsqueeze", "unit_share tokens_axis", "row_vector"),
        _node("Gather", "weights terms", "term_weights", axis=0),
        _node("MatMul", "row_vector term_weights", "products"),
        _node("Squeeze", "products tokens_axis", "sums"),
        _node("Add", "sums bias", "logits"),
        _node("Softmax", "logits", "probabilities", axis=-1),
    ]


def _node(kind: str, inputs: str, output: str, **attributes: str | int | list[int]) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], **attributes)  # type: ignore[arg-type]
