"""What releases have been made, by whom and why: kept in an annotation of the Deployment.

It is what an interrupted release goes on from, and what keeps two of them from running at once.
"""

import getpass
import json
import os
import socket
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, Self

from k8s.release.api import Api, ApiError, Json
from k8s.release.deployment import DEPLOYMENTS, find_deployment
from k8s.release.model import Model
from k8s.release.outcome import ReleaseError

ANNOTATION = "valence/releases"
_KEPT = 10  # as many as Helm keeps revisions
_TRIES = 10

State = Literal["rolling", "baking", "undoing", "kept", "unproven", "undone", "refused"]
OPEN: tuple[State, ...] = ("rolling", "baking", "undoing", "unproven")


@dataclass(frozen=True)
class Record:
    """One release of a model."""

    id: str
    model: Model
    before: Model
    from_revision: int  # of Helm; what an undo goes back to
    who: str
    why: str
    started: str  # ISO 8601, as are all times here
    state: State = "rolling"
    baking_since: str | None = None
    ended: str | None = None
    reason: str | None = None  # why it was undone, with the numbers

    @property
    def open(self) -> bool:
        """Whether it can be gone on with."""
        return self.state in OPEN

    def with_state(self, state: State, **changes: str) -> Self:
        """Return the record in another state."""
        ended = None if state in OPEN else now()
        return replace(self, state=state, ended=ended, **changes)  # type: ignore[arg-type]


def now() -> str:
    """Return the time."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def whoever_runs_this() -> str:
    """Return who is to be named: the one whom CI acts for, or the user and the machine."""
    actor = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")
    return actor or f"{getpass.getuser()}@{socket.gethostname()}"


def read_records(deployment: Json) -> list[Record]:
    """Return the releases that a Deployment tells of, oldest first."""
    raw = deployment["metadata"].get("annotations", {}).get(ANNOTATION, "[]")
    try:
        return [_parse(each) for each in json.loads(raw)]
    except (ValueError, TypeError, KeyError) as error:
        raise ReleaseError(
            f"the annotation {ANNOTATION} of {deployment['metadata']['name']} is damaged ({error}); "
            f"remove it: kubectl annotate deployment {deployment['metadata']['name']} {ANNOTATION}-"
        ) from error


def save(api: Api, release: str, record: Record) -> None:
    """Write a record: in the place of the one with its id, else behind the others.

    Raises:
        ReleaseError: Somebody else has begun a release meanwhile.
    """
    for _ in range(_TRIES):
        deployment = find_deployment(api, release)
        records = [each for each in read_records(deployment) if each.id != record.id]
        other = next((each for each in records if each.open), None)
        if other is not None:
            raise ReleaseError(
                f"{other.who} has been releasing {other.model} since {other.started} ({other.state}); "
                "wait, or end that with: python -m k8s.release undo"
            )
        kept = json.dumps([asdict(each) for each in [*records, record][-_KEPT:]], separators=(",", ":"))
        meta = deployment["metadata"]
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"], "annotations": {ANNOTATION: kept}}}
        try:
            api.patch(f"{DEPLOYMENTS}/{meta['name']}", patch)
        except ApiError as error:
            if error.status != 409:
                raise
        else:
            return
    raise ReleaseError(f"the Deployment of {release} changes faster than it can be annotated; run this again")


def _parse(each: dict[str, Any]) -> Record:
    return Record(**each | {"model": Model(**each["model"]), "before": Model(**each["before"])})
