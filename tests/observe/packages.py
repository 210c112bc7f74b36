"""Model packages for faults: the tiny one with what was seen in training, and one that is slow."""

import math
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bento.package import Histogram, Package, Profile, hash_files, write_package

_WIDTH = 1024  # of the matrix whose products take time


def profiled(package: Package, *, short_tokens: int = 8) -> Package:
    """Have the package say that it was trained on what is usually asked (`tests.observe.faults.USUAL`).

    Texts of up to `short_tokens` tokens are all one to it.
    """
    profile = Profile(
        sentiment={"negative": 0.5, "neutral": 0.25, "positive": 0.25},
        confidence=Histogram(bounds=(0.5, 0.8), shares=(0.25, 0.0, 0.75)),
        input_tokens=Histogram(bounds=(short_tokens, 128.0), shares=(1.0, 0.0, 0.0)),
    )
    manifest = package.manifest.model_copy(update={"profile": profile})
    return write_package(package.path, manifest, tokenizer=package.tokenizer, graph=package.graph)


def slowed(package: Package, *, batch_s: float) -> Package:
    """Have every batch take so long on this machine, whatever is in it, and score the same."""
    once_s = _seconds(_with_products(package.graph, 1))
    graph = _with_products(package.graph, math.ceil(batch_s / once_s))
    files = hash_files(tokenizer=package.tokenizer, graph=graph)
    manifest = package.manifest.model_copy(update={"files": files})
    return write_package(package.path, manifest, tokenizer=package.tokenizer, graph=graph)


def _with_products(graph: bytes, count: int) -> bytes:
    """Add products of matrices that depend on the input, so that none is folded away, and come out as 0."""
    model = onnx.load_from_string(graph)
    inner = model.graph
    last = next(node for node in inner.node if "probabilities" in node.output)
    last.output[:] = ["quick"]
    inner.initializer.extend(
        [
            numpy_helper.from_array(np.eye(_WIDTH, dtype=np.float32), "unit"),
            numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
        ]
    )
    inner.node.extend(
        [
            helper.make_node("Cast", ["attention_mask"], ["slow_mask"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["slow_mask"], ["slow_any"], keepdims=0),
            helper.make_node("Mul", ["unit", "slow_any"], ["slow0"]),
            *(
                helper.make_node("MatMul", [f"slow{number}", "unit"], [f"slow{number + 1}"])
                for number in range(count)
            ),
            helper.make_node("ReduceMax", [f"slow{count}"], ["slow_most"], keepdims=0),
            helper.make_node("Mul", ["slow_most", "zero"], ["slow_nothing"]),
            helper.make_node("Add", ["quick", "slow_nothing"], ["probabilities"]),
        ]
    )
    onnx.checker.check_model(model)
    changed: bytes = model.SerializeToString()
    return changed


def _seconds(graph: bytes) -> float:
    """Measure a run on one thread, the quickest of a few."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    ones = np.ones((1, 1), np.int64)
    session.run(None, {"input_ids": ones, "attention_mask": ones})
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        session.run(None, {"input_ids": ones, "attention_mask": ones})
        took.append(time.perf_counter() - begun)
    return min(took)
