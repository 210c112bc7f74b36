"""What tutorials do: Flask and `transformers.pipeline` behind gunicorn.

Threaded workers keep connections open, and their number is tried: as many as processors, and the often cited
twice that plus one (https://gunicorn.org/design).
"""

from typing import Any

from flask import Flask, request

from benchmarks.peers.classify import classify

app = Flask(__name__)


@app.post("/predict")
def predict() -> dict[str, Any]:
    """Judge one text."""
    return classify(request.get_json()["text"])
