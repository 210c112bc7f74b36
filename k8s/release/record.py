"""What releases have been made, by whom and why: kept in a ConfigMap that goes with the Deployment.

It is what an interrupted release goes on from, and what keeps two of them from running at once.
Annotations of the Deployment would not do: its controller copies them to ReplicaSets, and `kubectl rollout
undo` copies them back, so that an old record would be taken for the present one.
"""

import getpass
import json
import os
import socket
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, Self

from k8s.release.api import Api, ApiError, Json
from k8s.release.deployment import find_deployment
from k8s.release.model import Model
from k8s.release.outcome import Exit, ReleaseError

KEY = "releases.json"
_CONFIG_MAPS = "v1/configmaps"
_KEPT = 10  # as many as Helm keeps revisions
_TRIES = 10

State = Literal["rolling", "baking", "undoing", "unproven", "kept", "undone", "refused", "overtaken"]
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
    process: str  # that is at it; another one that goes on with it takes its place
    state: State = "rolling"
    baking_since: str | None = None
    ended: str | None = None
    reason: str | None = None  # why it ended so, with the numbers
    back_revision: int | None = None  # of Helm; what its undo made

    @property
    def open(self) -> bool:
        """Whether it can be gone on with."""
        return self.state in OPEN

    @property
    def told(self) -> str:
        """Who is at what, in words."""
        return f"{self.who} has been releasing {self.model} since {self.started} ({self.state})"

    def with_state(self, state: State, **changes: Any) -> Self:  # noqa: ANN401 - as the fields are
        """Return the record in another state."""
        ended = None if state in OPEN else now()
        return replace(self, state=state, ended=ended, **changes)


def now() -> str:
    """Return the time."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def whoever_runs_this() -> str:
    """Return who is to be named: the one whom CI acts for, or the user and the machine."""
    actor = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")
    return actor or f"{getpass.getuser()}@{socket.gethostname()}"


def read_records(api: Api, deployment: Json) -> list[Record]:
    """Return the releases that a Deployment has had, oldest first."""
    return parse_records(_find(api, _name(deployment)))


def save(api: Api, release: str, record: Record, *, takes_over: bool = False) -> None:
    """Write a record: in the place of the one with its id, else behind the others.

    Args:
        api: The cluster.
        release: Of Helm.
        record: By whom it is, its `process` says.
        takes_over: Whether it may have been another process's.

    Raises:
        ReleaseError: Somebody else has begun a release, or goes on with this one.
    """
    deployment = find_deployment(api, release)
    for _ in range(_TRIES):
        found = _find(api, _name(deployment))
        stored = parse_records(found)
        records = [each for each in stored if each.id != record.id]
        other = next((each for each in records if each.open), None)
        if other is not None:
            raise ReleaseError(f"{other.told}; wait, or end that with `undo`")
        if not takes_over and any(each.id == record.id and each.process != record.process for each in stored):
            raise ReleaseError(
                f"another process has gone on with the release of {record.model}; this one ends here, and "
                "leaves it to that",
                Exit.STUCK,
            )
        kept = json.dumps([asdict(each) for each in [*records, record][-_KEPT:]], separators=(",", ":"))
        try:
            _write(api, deployment, found, {KEY: kept})
        except ApiError as error:
            if error.status != 409:
                raise
        else:
            return
    raise ReleaseError(f"{_name(deployment)} changes faster than it can be written; run this again")


def _name(deployment: Json) -> str:
    return f"{deployment['metadata']['name']}-releases"


def _find(api: Api, name: str) -> Json | None:
    try:
        return api.get(f"{_CONFIG_MAPS}/{name}")
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def _write(api: Api, deployment: Json, found: Json | None, data: dict[str, str]) -> None:
    if found is not None:
        meta = found["metadata"]
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "data": data}
        api.patch(f"{_CONFIG_MAPS}/{meta['name']}", patch)
        return
    name, uid = deployment["metadata"]["name"], deployment["metadata"]["uid"]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": uid}
    metadata = {"name": _name(deployment), "ownerReferences": [owner]}
    api.create(_CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def parse_records(found: Json | None) -> list[Record]:
    """Read the releases out of the ConfigMap; none where there is none."""
    if found is None:
        return []
    try:
        return [_parse(each) for each in json.loads(found["data"][KEY])]
    except (ValueError, TypeError, KeyError) as error:
        name = found["metadata"]["name"]
        raise ReleaseError(
            f"the ConfigMap {name} is damaged ({error}); without it nothing is remembered, and all else "
            f"goes on: kubectl delete configmap {name}"
        ) from error


def _parse(each: dict[str, Any]) -> Record:
    return Record(**each | {"model": Model(**each["model"]), "before": Model(**each["before"])})
