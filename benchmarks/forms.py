"""Numeric forms that were tried beside the one that training exports."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from training.numeric_forms import _constants, _linears, _Rewriting

Feed = dict[str, NDArray[np.int64]]


def nbits(graph: bytes, *, block: int, accuracy_level: int) -> bytes:
    """Return the graph with 8-bit weights, each block of inputs with a scale of its own (`MatMulNBits`)."""
    model = onnx.load_from_string(graph)
    rewriting = _Rewriting(model)
    for linear in _linears(model, _constants(model)):
        inputs, outputs = linear.weights.shape
        blocks = -(-inputs // block)
        weights = np.zeros((outputs, blocks * block), np.float32)
        weights[:, :inputs] = linear.weights.T
        weights = weights.reshape(outputs, blocks, block)
        scales = np.maximum(np.abs(weights).max(axis=-1, keepdims=True) / 127, 1e-12)
        at = linear.node.name
        names = [
            rewriting.constant(f"{at}/int8", (np.round(weights / scales) + 128).astype(np.uint8)),
            rewriting.constant(f"{at}/scale", scales.reshape(-1).astype(np.float32)),
        ]
        rewriting.replace(
            linear.node,
            [
                helper.make_node(
                    "MatMulNBits",
                    [linear.node.input[0], *names],
                    [linear.node.output[0]],
                    name=at,
                    domain="com.microsoft",
                    K=inputs,
                    N=outputs,
                    bits=8,
                    block_size=block,
                    accuracy_level=accuracy_level,
                )
            ],
        )
    return rewriting.finish()


def fp16_weights(graph: bytes) -> bytes:
    """Return the graph with the weights of linear layers and large tables kept in half precision."""
    model = onnx.load_from_string(graph)
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 100_000:
            name = f"{tensor.name}/fp16"
            model.graph.initializer.remove(tensor)
            model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), name))
            model.graph.node.insert(0, helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
    return bytes(model.SerializeToString())


def static_int8(graph: bytes, feeds: Sequence[Feed], *, method: str, per_channel: bool) -> bytes:
    """Return the graph with activations scaled by what calibration saw (QDQ)."""

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds: Iterator[Feed] = iter(feeds)

        def get_next(self) -> Feed | None:
            return next(self._feeds, None)

    return _through_files(
        graph,
        quantize_static,
        calibration_data_reader=Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=QuantType.QUInt8,
        calibrate_method=getattr(CalibrationMethod, method),
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )


def dynamic_int8(graph: bytes) -> bytes:
    """Return the graph in ONNX Runtime's dynamic form: one activation scale for a whole batch."""
    return _through_files(graph, quantize_dynamic, per_channel=True)


def _through_files(graph: bytes, quantise: Callable[..., None], **settings: object) -> bytes:
    """Quantise the linear layers with a function of ONNX Runtime's, which reads and writes files."""
    model = onnx.load_from_string(graph)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.onnx", Path(folder) / "out.onnx"
        source.write_bytes(graph)
        quantise(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=[linear.node.name for linear in _linears(model, _constants(model))],
            weight_type=QuantType.QInt8,
            **settings,
        )
        return target.read_bytes()
