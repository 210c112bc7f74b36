"""What the servers around the ONNX file share: the package's tokenizer and graph, as directly as it gets.

One session of one thread per process, or one of several threads, is what ONNX Runtime recommends to try:
https://onnxruntime.ai/docs/performance/tune-performance/threading.html
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from benchmarks.peers.answer import answer


class Model:
    """Scores batches of texts. Thread-safe."""

    def __init__(self) -> None:
        """Load the package that `BENCH_PACKAGE` names, for calls of `BENCH_THREADS` threads."""
        package = Path(os.environ["BENCH_PACKAGE"])
        self._labels = json.loads((package / "manifest.json").read_text())["labels"]
        self._tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
        self._tokenizer.enable_padding()
        options = ort.SessionOptions()
        options.intra_op_num_threads = int(os.environ["BENCH_THREADS"])
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(
            package / "model.onnx", options, providers=["CPUExecutionProvider"]
        )

    def predict(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Return one answer for each text, in order."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        (scores,) = self._session.run(["probabilities"], {"input_ids": ids, "attention_mask": mask})
        return [answer(dict(zip(self._labels, row, strict=True))) for row in scores.tolist()]
