"""The whole SVM as one ONNX graph: what follows the encoder is added to its graph, as that is small."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.svm import SVC

from training.families.embeddings import OUTPUT, Vectors

_PROBABILITIES = "probabilities"


def build_graph(
    encoder: bytes,
    *,
    support: Vectors,
    svc: SVC,
    gamma: float,
    head: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> bytes:
    """Return the graph: encoder, RBF kernel with the support vectors, logistic regression.

    Args:
        encoder: Token ids to embeddings of unit length; see `training.families.embeddings.Reader`.
        support: Embeddings of the support vectors [vectors, numbers].
        svc: Fitted on the kernel of these.
        gamma: Of the kernel.
        head: Weights [pairs, labels] and bias [labels] that turn decision values into logits.
    """
    pairs, intercepts = pair_coefficients(svc)
    weights, bias = head
    constants: dict[str, NDArray[Any]] = {
        "support": np.ascontiguousarray(support.T),
        "one": np.array(1, np.float32),
        "twice_gamma": np.array(2 * gamma, np.float32),
        # The two linear maps that follow the kernel are one. It stays in double precision: it adds up
        # thousands of numbers that nearly cancel, and single precision moved a text's scores by 4e-5 with
        # the size of its batch.
        "weights": pairs @ weights,
        "bias": intercepts @ weights + bias,
    }
    model = onnx.load_from_string(encoder)
    graph = model.graph
    graph.initializer.extend(numpy_helper.from_array(value, _own(name)) for name, value in constants.items())
    graph.node.extend(
        [
            _node("MatMul", [OUTPUT, _own("support")], "cosine"),
            # Of unit vectors the squared distance is 2 - 2 * cosine.
            _node("Sub", [_own("cosine"), _own("one")], "less_one"),
            _node("Mul", [_own("less_one"), _own("twice_gamma")], "exponent"),
            _node("Exp", [_own("exponent")], "kernel"),
            _node("Cast", [_own("kernel")], "kernel_double", to=TensorProto.DOUBLE),
            _node("MatMul", [_own("kernel_double"), _own("weights")], "sums"),
            _node("Add", [_own("sums"), _own("bias")], "logits"),
            _node("Softmax", [_own("logits")], "shares", axis=-1),
            helper.make_node(
                "Cast", [_own("shares")], [_PROBABILITIES], name=_own("output"), to=TensorProto.FLOAT
            ),
        ]
    )
    del graph.output[:]
    graph.output.append(
        helper.make_tensor_value_info(_PROBABILITIES, TensorProto.FLOAT, ["batch", len(bias)])
    )
    return bytes(model.SerializeToString())


def pair_coefficients(svc: SVC) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what turns kernel values into one decision value for each pair of classes.

    Returns:
        Coefficients [support vectors, pairs] and intercepts [pairs]; pairs as in scikit-learn's one-vs-one
        `decision_function`: (0, 1), (0, 2), (1, 2).
    """
    classes = len(svc.classes_)
    ends = np.cumsum(svc.n_support_)
    vectors_of = [slice(end - count, end) for end, count in zip(ends, svc.n_support_, strict=True)]
    pairs = [(first, second) for first in range(classes) for second in range(first + 1, classes)]
    coefficients = np.zeros((len(svc.support_), len(pairs)))
    for column, (first, second) in enumerate(pairs):
        # libsvm keeps, for the vectors of one class, a row for each other class, its own left out.
        coefficients[vectors_of[first], column] = svc.dual_coef_[second - 1, vectors_of[first]]
        coefficients[vectors_of[second], column] = svc.dual_coef_[first, vectors_of[second]]
    return coefficients, np.asarray(svc.intercept_)


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:  # noqa: ANN401 - of several types
    return helper.make_node(kind, inputs, [_own(output)], name=_own(output), **attributes)


def _own(name: str) -> str:
    return f"svm/{name}"  # apart from the encoder's names
