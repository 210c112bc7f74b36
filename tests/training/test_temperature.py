"""Confidence that is too high or too low is mended, and nothing but confidence changes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime import InferenceSession

from bento.package import LABELS
from training.temperature import fit_temperature, temper, temper_scores

ROWS = 20_000


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def bare_graph() -> bytes:
    """Return a graph that gives back its input as probabilities."""
    shape: list[str | int | None] = ["batch", 3]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["given"], ["probabilities"], name="last")],
        "bare",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def run(graph: bytes, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    (found,) = InferenceSession(graph).run(["probabilities"], {"given": scores})
    return np.asarray(found)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_scores_too_sure_is_found(true: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (ROWS, 3))
    honest = softmax(logits)
    drawn = (honest.cumsum(axis=1) < random.random((ROWS, 1))).sum(axis=1)
    truth = [LABELS[min(place, 2)] for place in drawn]
    assert fit_temperature(softmax(logits * true), LABELS, truth) == pytest.approx(true, rel=0.05)


def test_rows_that_are_all_right_leave_the_scores_finite() -> None:
    scores = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], np.float32)
    assert 0.2 <= fit_temperature(scores, LABELS, ["negative", "positive"]) <= 5


@given(
    logits=st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3),
    temperature=st.floats(0.2, 5),
)
def test_the_graph_divides_the_logits(logits: list[float], temperature: float) -> None:
    scores = softmax(np.array([logits]))
    found = run(temper(bare_graph(), temperature), scores)
    np.testing.assert_allclose(found, softmax(np.array([logits]) / temperature), atol=2e-6)
    assert found[0, scores.argmax()] == found.max()


@given(temperature=st.floats(0.2, 5))
def test_scores_are_tempered_as_the_graph_would(temperature: float) -> None:
    scores = softmax(np.random.default_rng(0).normal(0, 3, (50, 3)))
    expected = run(temper(bare_graph(), temperature), scores)
    np.testing.assert_array_equal(temper_scores(scores, temperature), expected)


def test_a_temperature_of_one_changes_nothing() -> None:
    scores = softmax(np.random.default_rng(0).normal(0, 3, (50, 3)))
    np.testing.assert_allclose(run(temper(bare_graph(), 1.0), scores), scores, atol=1e-6)


def test_the_graph_is_valid(tmp_path: Path) -> None:
    onnx.checker.check_model(onnx.load_from_string(temper(bare_graph(), 1.7)), full_check=True)
