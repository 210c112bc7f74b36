"""Whether the new pods answer as the package says: asked one by one, or through the service."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx

from k8s.release.api import Api, ApiError, Json
from k8s.release.deployment import Rollout
from k8s.release.model import Model
from k8s.release.outcome import Exit, ReleaseError

Ask = Callable[[str, Json | None], Json]

_TOLERANCE = 0.02  # what another CPU may make of a score, as the server itself allows at its start
_ANSWER_S = 30
_PREDICTIONS = ("What a wonderful film!", "It broke after two days.", "The parcel came on Tuesday. 📦")


class SmokeError(ReleaseError):
    """What serves is not what was released."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.UNDONE)


def read_canaries(package: Path | None) -> list[Json]:
    """Return a package's canary texts with the scores that they must have; none where it is not at hand."""
    if package is None:
        return []
    canaries: list[Json] = json.loads((package / "manifest.json").read_bytes())["canaries"]
    return canaries


def through_pods(api: Api, rollout: Rollout) -> dict[str, Ask]:
    """Return how each new pod is asked, by its name: through the API server, whatever lies before it else."""

    def asking(name: str) -> Ask:
        def ask(path: str, body: Json | None) -> Json:
            try:
                return api.ask_pod(name, path, body)
            except ApiError as error:
                if error.status == 403:  # which says nothing of the pod
                    raise
                raise SmokeError(f"{name}{path}: {error}") from error

        return ask

    return {pod["metadata"]["name"]: asking(pod["metadata"]["name"]) for pod in rollout.new}


def through_url(url: str) -> dict[str, Ask]:
    """Return how the service is asked, as its users do."""

    def ask(path: str, body: Json | None) -> Json:
        try:
            method = "GET" if body is None else "POST"
            answer = httpx.request(method, url.rstrip("/") + path, json=body, timeout=_ANSWER_S)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise SmokeError(f"{url}{path}: {error}") from error
        found: Json = answer.json()
        return found

    return {url: ask}


def check_answers(asks: dict[str, Ask], model: Model, canaries: list[Json]) -> int:
    """Compare answers with what is expected.

    Returns:
        How many predictions were made.

    Raises:
        SmokeError: One is of another model, or not as expected.
    """
    made = 0
    texts = [*_PREDICTIONS, *(canary["text"] for canary in canaries)]
    for name, ask in asks.items():
        _check_model(name, ask("/health", None), model)
        one = ask("/predict", {"text": _PREDICTIONS[0]})
        _check_model(name, one, model)
        answer = ask("/predict/batch", {"texts": texts})
        _check_model(name, answer, model)
        predictions = answer["predictions"]
        if len(predictions) != len(texts):
            raise SmokeError(f"{name}: {len(predictions)} predictions for {len(texts)} texts")
        for prediction in [one, *predictions]:
            _check_scores(name, prediction["scores"])
        for number, (canary, prediction) in enumerate(
            zip(canaries, predictions[len(_PREDICTIONS) :], strict=True)
        ):
            _compare(name, number, canary["scores"], prediction["scores"])
        made += 1 + len(texts)
    return made


def _check_model(name: str, answer: Json, model: Model) -> None:
    serves = answer["model"]
    if serves["digest"] != model.digest:
        raise SmokeError(
            f"{name} serves version {serves['version']} ({serves['digest'][:19]}…), not the released {model}"
        )


def _check_scores(name: str, scores: dict[str, float]) -> None:
    if not abs(sum(scores.values()) - 1) < _TOLERANCE:
        raise SmokeError(f"{name}: the scores {scores} do not add up to 1")


def _compare(name: str, number: int, expected: dict[str, float], scores: dict[str, float]) -> None:
    difference = max(abs(expected[label] - scores.get(label, 0)) for label in expected)
    if not difference <= _TOLERANCE:
        raise SmokeError(
            f"{name}: canary text {number} scores {difference:.3f} away from its package "
            f"(allowed {_TOLERANCE})"
        )
