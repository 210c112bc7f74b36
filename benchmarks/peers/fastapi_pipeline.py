"""What tutorials do: FastAPI and `transformers.pipeline` in a `def` route, which a pool of threads runs.

https://fastapi.tiangolo.com/async/ and https://huggingface.co/docs/transformers/pipeline_webserver
"""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.classify import classify

app = FastAPI()


class PredictRequest(BaseModel):
    """One text."""

    text: str


@app.post("/predict")
def predict(request: PredictRequest) -> dict[str, Any]:
    """Judge one text."""
    return classify(request.text)
