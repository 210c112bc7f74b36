"""LitServe with batching around the ONNX file: `python -m benchmarks.peers.litserve_onnx PORT`.

`max_batch_size` and `batch_timeout` as in https://lightning.ai/docs/litserve/features/batching, several
workers on the processor as in https://lightning.ai/docs/litserve/speed-up-serving-by-200x. Its `fast_queue`
has no effect in this version (https://github.com/Lightning-AI/LitServe/issues/751) and is left off. It runs
one process for HTTP per worker, which is its default.
"""

import os
import sys
from typing import Any

import litserve

from benchmarks.peers.model import Model

_BATCH_TIMEOUT_S = 0.005


class Api(litserve.LitAPI):  # type: ignore[misc]
    """Judges texts."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe passes it by name
        """Load the model, in each worker."""
        self._model = Model()

    def decode_request(self, request: dict[str, str]) -> str:
        """Return the text."""
        return request["text"]

    def batch(self, inputs: list[str]) -> list[str]:
        """Keep the texts as they are: the model takes a list."""
        return inputs

    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        """Judge texts."""
        return self._model.predict(texts)

    def unbatch(self, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Keep the answers as they are."""
        return answers

    def encode_response(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the answer."""
        return answer


if __name__ == "__main__":
    api = Api(
        max_batch_size=int(os.environ["BENCH_BATCH"]), batch_timeout=_BATCH_TIMEOUT_S, api_path="/predict"
    )
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=int(os.environ["BENCH_WORKERS"]), timeout=120
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
