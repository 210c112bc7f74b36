"""BentoML's own adaptive batching around the ONNX file.

A batchable route takes a list (https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html), so its
client sends a list of one text: the shortest way, without a second service that turns a text into a list.
`max_latency_ms` stays at its default of a minute, as it is the wait beyond which requests are refused.
Metrics, traces and the access log are off (https://docs.bentoml.com/en/latest/build-with-bentoml/observability/).
"""

import os
from typing import Any

import bentoml

from benchmarks.peers.model import Model


@bentoml.service(
    workers=int(os.environ["BENCH_WORKERS"]),
    traffic={"timeout": 120},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
class Peer:
    """Judges texts."""

    def __init__(self) -> None:
        self._model = Model()

    @bentoml.api(batchable=True, max_batch_size=int(os.environ["BENCH_BATCH"]))  # type: ignore[untyped-decorator]
    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        """Judge texts."""
        return self._model.predict(texts)
