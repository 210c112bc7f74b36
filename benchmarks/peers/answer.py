"""The answer that all servers give."""

from typing import Any


def answer(scores: dict[str, float]) -> dict[str, Any]:
    """Return what a client is told of one text."""
    sentiment = max(scores, key=lambda label: scores[label])
    return {"sentiment": sentiment, "confidence": scores[sentiment], "scores": scores}
