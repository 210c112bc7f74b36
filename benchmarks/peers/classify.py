"""`transformers.pipeline` around the weights, for the servers that tutorials show.

The pipeline is loaded once and called with one text at a time, without batches
(https://huggingface.co/docs/transformers/pipeline_webserver shows a queue in front of one thread, which is no
faster here, as there is one model for all).
"""

import os
from typing import Any

import torch
from transformers import pipeline

from benchmarks.peers.answer import answer

torch.set_num_threads(int(os.environ["BENCH_THREADS"]))
_classify = pipeline("text-classification", model=os.environ["BENCH_HUGGINGFACE"], device="cpu", top_k=None)


def classify(text: str) -> dict[str, Any]:
    """Return the answer for one text."""
    found: Any = _classify([text])[0]  # of a list with `top_k`, though its type says otherwise
    return answer({score["label"]: score["score"] for score in found})
