"""Numeric forms: a graph rewritten so that it gives nearly the same scores in less time and memory.

The form `int8-rows` multiplies 8-bit integers. What an activation is divided by belongs to its row, which is
one token of one text: a text's scores depend on nothing that stands beside it, as they would with ONNX
Runtime's own dynamic quantisation, where one outlier coarsens a whole batch.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

INT8_ROWS = "int8-rows"

_MICROSOFT = "com.microsoft"
_STEP, _ZERO_POINT = "int8/step", "int8/zero_point"  # constants that every layer reads
_ACTIVATION_STEPS = 127
# Half the range: older x86 processors add two products in 16 bits, and with more these would overflow there
# and nowhere else.
_WEIGHT_STEPS = 63
_TABLE_STEPS = 127
_TABLE_ROWS = 1000  # smaller tables are not worth it

_Constants = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class _Linear:
    """A product with constant weights [inputs, outputs], to which a constant vector is added."""

    node: onnx.NodeProto
    weights: NDArray[np.float32]


class _Rewriting:
    """New nodes in place of old ones, and the constants that they read."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._instead: dict[str, list[onnx.NodeProto]] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self._model.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def replace(self, node: onnx.NodeProto, nodes: Iterable[onnx.NodeProto]) -> None:
        self._instead[node.name] = list(nodes)

    def finish(self) -> bytes:
        graph = self._model.graph
        nodes = [new for node in graph.node for new in self._instead.get(node.name, [node])]
        read = {name for node in nodes for name in node.input}
        constants = [constant for constant in graph.initializer if constant.name in read]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(nodes)
        graph.initializer.extend(constants)
        if all(opset.domain != _MICROSOFT for opset in self._model.opset_import):
            self._model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
        return bytes(self._model.SerializeToString())


def int8_rows(graph: bytes) -> bytes | None:
    """Return a graph in the form `int8-rows`, or nothing where it holds no layer that this would help.

    Linear layers in single precision multiply integers, and large embedding tables are kept as integers. All
    else stays: attention, normalisation, activation functions, kernels, and whatever is in double precision.

    Args:
        graph: With all its weights, and nodes that have names.
    """
    model = onnx.load_from_string(graph)
    constants = _constants(model)
    linears = _linears(model, constants)
    if not linears:
        return None
    rewriting = _Rewriting(model)
    rewriting.constant(_STEP, np.array(1 / _ACTIVATION_STEPS, np.float32))
    # Activations are unsigned, as the processors' instructions want them.
    rewriting.constant(_ZERO_POINT, np.array(_ACTIVATION_STEPS + 1, np.uint8))
    by_input = defaultdict(list)
    for linear in linears:
        by_input[linear.node.input[0]].append(linear)
    for states, layers in by_input.items():
        preparation = _quantise_rows(states)
        for layer in layers:
            rewriting.replace(layer.node, [*preparation, *_multiply(layer, rewriting)])
            preparation = []
    for node in model.graph.node:
        if node.op_type == "Gather" and len(constants.get(node.input[0], ())) >= _TABLE_ROWS:
            rewriting.replace(node, _look_up(node, constants[node.input[0]], rewriting))
    return rewriting.finish()


def _constants(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return constants


def _linears(model: onnx.ModelProto, constants: _Constants) -> list[_Linear]:
    readers = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    found = []
    for node in model.graph.node:
        weights = constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if weights is None or weights.dtype != np.float32:
            continue
        adds_vector = any(
            reader.op_type == "Add" and any(np.ndim(constants.get(name, 0)) == 1 for name in reader.input)
            for reader in readers[node.output[0]]
        )
        if adds_vector:
            found.append(_Linear(node, weights))
    return found


def _quantise_rows(states: str) -> list[onnx.NodeProto]:
    """Bring float rows to integers: `…/int8` [.., width], each row divided by its `…/largest` [.., 1]."""
    at = f"{states}/rows"
    return [
        _node("Abs", [states], f"{at}/sizes"),
        _node("ReduceMax", [f"{at}/sizes"], f"{at}/largest", axes=[-1], keepdims=1),
        # A row of zeros becomes any integers at all: they are multiplied by its largest number, 0, again.
        _node("Div", [states, f"{at}/largest"], f"{at}/shares"),
        _node("QuantizeLinear", [f"{at}/shares", _STEP, _ZERO_POINT], f"{at}/int8"),
    ]


def _multiply(layer: _Linear, rewriting: _Rewriting) -> list[onnx.NodeProto]:
    at, states = layer.node.name, layer.node.input[0]
    integers, scales = _quantise(layer.weights, axis=0, steps=_WEIGHT_STEPS)
    weights = rewriting.constant(f"{at}/int8", integers)
    columns = rewriting.constant(f"{at}/scale", scales.reshape(-1))
    return [
        _node(
            "MatMulIntegerToFloat",
            [f"{states}/rows/int8", weights, _STEP, columns, _ZERO_POINT],
            f"{at}/product",
            domain=_MICROSOFT,
        ),
        _node("Mul", [f"{at}/product", f"{states}/rows/largest"], layer.node.output[0]),
    ]


def _look_up(node: onnx.NodeProto, table: NDArray[np.float32], rewriting: _Rewriting) -> list[onnx.NodeProto]:
    at, ids = node.name, node.input[1]
    integers, scales = _quantise(table, axis=1, steps=_TABLE_STEPS)
    return [
        _node("Gather", [rewriting.constant(f"{at}/int8", integers), ids], f"{at}/rows"),
        _node("Gather", [rewriting.constant(f"{at}/scale", scales), ids], f"{at}/scales"),
        _node("Cast", [f"{at}/rows"], f"{at}/numbers", to=TensorProto.FLOAT),
        _node("Mul", [f"{at}/numbers", f"{at}/scales"], node.output[0]),
    ]


def _quantise(
    matrix: NDArray[np.float32], *, axis: int, steps: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    scales = np.maximum(np.abs(matrix).max(axis=axis, keepdims=True) / steps, np.finfo(np.float32).tiny)
    return np.round(matrix / scales).astype(np.int8), scales.astype(np.float32)


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:  # noqa: ANN401
    return helper.make_node(kind, inputs, [output], name=output, **attributes)
