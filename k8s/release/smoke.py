"""Whether the new pods answer as the package says: asked one by one, or through the service."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

from k8s.release.api import Api, ApiError, Json
from k8s.release.model import Model
from k8s.release.outcome import Exit, ReleaseError
from k8s.release.web import explain, hide_password

Ask = Callable[[str, Json | None], Json]

_TOLERANCE = 0.02  # what another CPU may make of a score, as the server itself allows at its start
_ANSWER_S = 30
_BUSY, _TRIES = 429, 5
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


def through_pods(api: Api, pods: Iterable[Json]) -> dict[str, Ask]:
    """Return how each pod is asked, by its name: through the API server, whatever lies before it else."""

    def asking(name: str) -> Ask:
        def ask(path: str, body: Json | None) -> Json:
            try:
                return api.ask_pod(name, path, body)
            except ApiError as error:
                if error.status in (0, 401, 403):  # which says nothing of the pod
                    raise
                raise SmokeError(f"{name}{path}: {error}") from error

        return ask

    return {pod["metadata"]["name"]: asking(pod["metadata"]["name"]) for pod in pods}


def through_url(url: str) -> dict[str, Ask]:
    """Return how the service is asked, as its users do."""
    shown = hide_password(url)

    def ask(path: str, body: Json | None) -> Json:
        try:
            found = _send(url.rstrip("/") + path, body)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise SmokeError(f"{shown}{path}: {explain(error)}") from error
        if not isinstance(found, dict):
            raise SmokeError(f"{shown}{path}: no JSON object")
        return found

    return {shown: ask}


def _send(url: str, body: Json | None) -> Any:  # noqa: ANN401 - JSON
    for attempt in range(_TRIES):
        answer = httpx.request("GET" if body is None else "POST", url, json=body, timeout=_ANSWER_S)
        if answer.status_code != _BUSY:
            break
        time.sleep(0.2 * 2**attempt)
    return answer.raise_for_status().json()


def check_way(asks: dict[str, Ask]) -> None:
    """See that what serves now can be asked, as new pods could not be tried else.

    Raises:
        ReleaseError: It cannot.
    """
    for ask in asks.values():
        try:
            ask("/health", None)
        except ReleaseError as error:
            raise ReleaseError(
                f"what serves now cannot be asked, so new pods could not be tried either: {error}; nothing "
                "was changed. Pods are asked through the API server, which a NetworkPolicy may keep out; "
                "--url asks the service instead"
            ) from error


def check_answers(asks: dict[str, Ask], model: Model, canaries: list[Json]) -> int:
    """Compare answers with what is expected.

    Returns:
        How many predictions were made.

    Raises:
        SmokeError: One is of another model, or not as expected.
    """
    made = 0
    for name, ask in asks.items():
        try:
            made += _check(name, ask, model, canaries)
        except (LookupError, TypeError, AttributeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise SmokeError(f"{name}: an answer is not as Valence's are ({why})") from error
    return made


def _check(name: str, ask: Ask, model: Model, canaries: list[Json]) -> int:
    texts = [*_PREDICTIONS, *(canary["text"] for canary in canaries)]
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
    of_canaries = zip(canaries, predictions[len(_PREDICTIONS) :], strict=True)
    for number, (canary, prediction) in enumerate(of_canaries):
        _compare(name, number, canary["scores"], prediction["scores"])
    return 1 + len(texts)


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
