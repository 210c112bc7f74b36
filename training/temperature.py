"""Temperature: one number by which a model's logits are divided, so that its confidence means something.

It becomes part of the graph, as its last two operators. Then nothing else needs to know of it: the scorer,
the server, canaries and numeric forms see one graph, whatever the family and however that ends.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from scipy.optimize import minimize_scalar

_OUTPUT = "probabilities"
_BOUNDS = (0.2, 5.0)  # of the temperature: on few rows that are all right, the best would be 0


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

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((np.logaddexp.reduce(logits * scale, axis=1) - said * scale).mean())

    found = minimize_scalar(loss, bounds=np.log(_BOUNDS), method="bounded")
    return round(float(np.exp(found.x)), 4)


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
                node.output[place] = f"{_OUTPUT}/untempered"
    power = numpy_helper.from_array(np.array(1 / temperature, np.float32), f"{_OUTPUT}/power")
    model.graph.initializer.append(power)
    model.graph.node.extend(
        [
            helper.make_node(
                "Pow",
                [f"{_OUTPUT}/untempered", power.name],
                [f"{_OUTPUT}/tempered"],
                name=f"{_OUTPUT}/tempered",
            ),
            helper.make_node(
                "LpNormalization", [f"{_OUTPUT}/tempered"], [_OUTPUT], name=_OUTPUT, axis=-1, p=1
            ),
        ]
    )
    return bytes(model.SerializeToString())
