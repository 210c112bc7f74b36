"""OpenVINO in the place of ONNX Runtime, for the table of numeric forms alone."""

import importlib
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PRECISIONS = ("f32", "bf16")  # what it computes in where the graph does not say integers


class OpenVinoSession:
    """What a scorer asks of a session, answered by OpenVINO; each calling thread has a request of its own.

    Args:
        folder: Where OpenVINO was installed to (`pip install --no-deps --target FOLDER openvino`).
        graph: ONNX.
        precision: One of `PRECISIONS`.
        lanes: How many threads call at the same time, each answered by one thread.
        threads: How many threads answer one call, where there is one lane.
    """

    def __init__(
        self, folder: Path, graph: bytes, precision: str, *, lanes: int = 1, threads: int = 1
    ) -> None:
        sys.path.append(str(folder))
        openvino = importlib.import_module("openvino")
        settings = {
            "NUM_STREAMS": lanes,
            "INFERENCE_NUM_THREADS": lanes * threads,
            "INFERENCE_PRECISION_HINT": precision,
        }
        core = openvino.Core()
        self._compiled = core.compile_model(core.read_model(graph, b""), "CPU", settings)
        self._of_thread = threading.local()

    def run(self, names: Sequence[str], feed: Mapping[str, NDArray[np.int64]]) -> list[NDArray[Any]]:
        """Return the outputs of these names."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._compiled.create_infer_request()
        answer = self._of_thread.request.infer(dict(feed))
        return [np.array(answer[name]) for name in names]
