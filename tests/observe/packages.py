"""Model packages for faults: the tiny one with what was seen in training, and one that is slow."""

import math
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bento.package import Certainty, Histogram, Package, Profile, hash_files, write_package

_WIDTH = 1024  # of the matrix whose products take time
_CANARY_TOKENS = 4


def profiled(package: Package, *, short_tokens: int = 8) -> Package:
    """Have the package say that it was trained on what is usually asked (`tests.observe.faults.USUAL`).

    Texts of up to `short_tokens` tokens are all one to it.
    """
    profile = Profile(
        sentiment={"negative": 0.5, "neutral": 0.25, "positive": 0.25},
        confidence=Histogram(bounds=(0.5, 0.8), shares=(0.25, 0.0, 0.75)),
        input_tokens=Histogram(bounds=(short_tokens, 128.0), shares=(1.0, 0.0, 0.0)),
    )
    certainty = Certainty(threshold=0.8, share=0.75)
    manifest = package.manifest.model_copy(update={"profile": profile, "certainty": certainty})
    return write_package(package.path, manifest, tokenizer=package.tokenizer, graph=package.graph)


def slowed(package: Package, *, batch_s: float) -> Package:
    """Have every batch of short texts take so long on this machine, whatever is in it, and score the same.

    Texts as long as its canaries are as quick as ever, so it starts as soon as any other.
    """
    once_s = _seconds(_with_products(package.graph, 1))
    graph = _with_products(package.graph, math.ceil(batch_s / once_s))
    files = hash_files(tokenizer=package.tokenizer, graph=graph)
    manifest = package.manifest.model_copy(update={"files": files})
    return write_package(package.path, manifest, tokenizer=package.tokenizer, graph=graph)


def _with_products(graph: bytes, count: int) -> bytes:
    """Add 0 to the scores, which for short texts comes of products of matrices.

    They depend on the input, so that none is folded away.
    """
    model = onnx.load_from_string(graph)
    inner = model.graph
    last = next(node for node in inner.node if "probabilities" in node.output)
    last.output[:] = ["quick"]
    nothing = helper.make_tensor_value_info("nothing", TensorProto.FLOAT, None)
    steps = [("unit", "any"), *((f"slow{number}", "unit") for number in range(count))]
    slow = helper.make_graph(
        [
            helper.make_node("Mul" if number == 0 else "MatMul", [*factors], [f"slow{number}"])
            for number, factors in enumerate(steps)
        ]
        + [
            helper.make_node("ReduceMax", [f"slow{count}"], ["most"], keepdims=0),
            helper.make_node("Mul", ["most", "zero"], ["nothing"]),
        ],
        "slow",
        [],
        [nothing],
    )
    at_once = helper.make_graph([helper.make_node("Identity", ["zero"], ["nothing"])], "quick", [], [nothing])
    inner.initializer.extend(
        [
            numpy_helper.from_array(np.eye(_WIDTH, dtype=np.float32), "unit"),
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
            numpy_helper.from_array(np.array(_CANARY_TOKENS, np.int64), "canary_tokens"),
            numpy_helper.from_array(np.array(1, np.int64), "second"),
        ]
    )
    inner.node.extend(
        [
            helper.make_node("Cast", ["attention_mask"], ["ones"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["ones"], ["any"], keepdims=0),
            helper.make_node("Shape", ["attention_mask"], ["shape"]),
            helper.make_node("Gather", ["shape", "second"], ["length"]),
            helper.make_node("Less", ["length", "canary_tokens"], ["short"]),
            helper.make_node("If", ["short"], ["delay"], then_branch=slow, else_branch=at_once),
            helper.make_node("Add", ["quick", "delay"], ["probabilities"]),
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
