"""Temperature: one number by which a model's logits are divided, so that its confidence means something.

It becomes part of the graph, as its last two operators. Then nothing else needs to know of it: the scorer,
the server, canaries and numeric forms see one graph, whatever the family and however that ends.
"""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OUTPUT = "probabilities"
_UNTEMPERED = f"{_OUTPUT}/untempered"
_OPSET, _IR_VERSION = 17, 9
_BOUNDS = (0.2, 5.0)  # of the temperature: on few rows that are all right, the best would be 0
_HALVINGS = 40


def fit_temperature(scores: NDArray[np.float32], labels: Sequence[str], truth: Sequence[str]) -> float:
    """Return the temperature at which the labels are likeliest; below 1 the model was too modest.

    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017. The sentiment that
    scores highest stays the same.

    Args:
        scores: Probabilities of rows that the model did not learn from [rows, labels].
        labels: What the columns mean.
        truth: The label of each row.
    """
    # Probabilities are as good as logits here: they differ by one number a row, which makes no difference.
    logits = np.log(np.maximum(scores.astype(np.float64), np.finfo(np.float32).tiny))
    said = logits[np.arange(len(truth)), [list(labels).index(label) for label in truth]]

    # The loss is convex in the scale of the logits: where its slope is zero the labels are likeliest.
    low, high = 1 / _BOUNDS[1], 1 / _BOUNDS[0]
    for _ in range(_HALVINGS):
        scale = (low + high) / 2
        shares = np.exp(logits * scale - np.logaddexp.reduce(logits * scale, axis=1, keepdims=True))
        if ((shares * logits).sum(axis=1) - said).mean() > 0:
            high = scale
        else:
            low = scale
    return round(2 / (low + high), 4)


def temper(graph: bytes, temperature: float) -> bytes:
    """Return a graph whose probabilities are those of the same logits, divided by the temperature.

    Args:
        graph: With one output, `probabilities`.
        temperature: From `fit_temperature`.
    """
    model = onnx.load_from_string(graph)
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == _OUTPUT:
                node.output[place] = _UNTEMPERED
    nodes, power = _last_operators(temperature)
    model.graph.initializer.append(power)
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def temper_scores(scores: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return what the graph from `temper` gives where the one before gave these scores.

    They go through the very operators that it ends with, so that nothing before them need run again.
    """
    nodes, power = _last_operators(temperature)
    before, after = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", scores.shape[1]])
        for name in (_UNTEMPERED, _OUTPUT)
    )
    graph = helper.make_graph(nodes, "temperature", [before], [after], [power])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run([_OUTPUT], {_UNTEMPERED: scores})[0])


def _last_operators(temperature: float) -> tuple[list[onnx.NodeProto], onnx.TensorProto]:
    power = numpy_helper.from_array(np.array(1 / temperature, np.float32), f"{_OUTPUT}/power")
    tempered = f"{_OUTPUT}/tempered"
    return [
        helper.make_node("Pow", [_UNTEMPERED, power.name], [tempered], name=tempered),
        helper.make_node("LpNormalization", [tempered], [_OUTPUT], name=_OUTPUT, axis=-1, p=1),
    ], power
