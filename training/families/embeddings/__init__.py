"""Embeddings of texts: made once, by the graph that they are served with, and read by several families.

Nothing here needs torch: whoever learns from embeddings reads what the stage `embed` left.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime as ort
from joblib import cpu_count  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pydantic import Field

from bento.package import MAX_TOKENS, PackageError
from bento.scorer import load_tokenizer, plan_batches
from training.params import Section
from training.progress import progress

OUTPUT = "embeddings"  # of the graph

_BATCH_TOKENS = 1024

Vectors = NDArray[np.float32]


class Params(Section):
    """The section `embed` of `params.yaml`."""

    max_tokens: int = Field(ge=3, le=MAX_TOKENS)
    max_rows: int = Field(ge=1)


class Reader:
    """Reads texts: each becomes an embedding, a vector of unit length.

    Attributes:
        tokenizer: The content of `tokenizer.json`.
        graph: `input_ids`, `attention_mask` int64 [batch, tokens] to `embeddings` float32 [batch, numbers].
        max_tokens: How many tokens of a text are read.
    """

    def __init__(self, tokenizer: bytes, graph: bytes) -> None:
        self.tokenizer, self.graph = tokenizer, graph
        self._tokenizer = load_tokenizer(tokenizer)
        truncation = self._tokenizer.truncation
        if truncation is None:
            raise PackageError("tokenizer.json does not truncate; `dvc repro --force embed` makes it anew")
        self.max_tokens: int = truncation["max_length"]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return the embeddings of normalised texts [texts, numbers]."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

        def run(rows: list[int]) -> Vectors:
            inputs = np.zeros((2, len(rows), max(len(ids[row]) for row in rows)), np.int64)
            for place, row in enumerate(rows):
                inputs[0, place, : len(ids[row])] = ids[row]
                inputs[1, place, : len(ids[row])] = 1
            (found,) = session.run([OUTPUT], {"input_ids": inputs[0], "attention_mask": inputs[1]})
            return np.asarray(found)

        batches = list(plan_batches([len(text) for text in ids], _BATCH_TOKENS))
        vectors: list[Vectors] = []
        # One thread a batch: threads that share a batch wait for one another, and on a busy machine for long.
        with (
            progress(f"embedding {len(texts)} texts", len(texts)) as advance,
            ThreadPoolExecutor(cpu_count()) as pool,
        ):
            for found in pool.map(run, batches):
                vectors.append(found)
                advance(len(found))
        order = np.argsort(np.concatenate(batches))
        return np.concatenate(vectors)[order]
