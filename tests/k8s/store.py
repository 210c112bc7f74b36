"""The objects of the stand-in for Kubernetes: each change has a revision, and those who watch hear of it."""

import copy
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import jsonschema
import kubernetes_validate

from tests.k8s.kinds import Json, Kind, kind_of

_SCHEMAS = "1.35"
Key = tuple[Kind, str, str]


class ApiError(Exception):
    """An answer that is a refusal."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
        }
        self.code = code


@dataclass(frozen=True)
class Change:
    """What a watch tells."""

    revision: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    kind: Kind
    object: Json


class Store:
    """Objects by kind, namespace and name. All that is returned is a copy."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.revision = 100
        self.oldest = 0
        self.changes: list[Change] = []
        self._objects: dict[Key, Json] = {}

    def find(self, kind: Kind, namespace: str, name: str) -> Json:
        with self.changed:
            found = self._objects.get((kind, namespace, name))
            if found is None:
                raise ApiError(404, "NotFound", f'{kind.plural} "{name}" not found')
            return copy.deepcopy(found)

    def all(self, kind: Kind, namespace: str | None = None) -> list[Json]:
        with self.changed:
            return [
                copy.deepcopy(each)
                for (its, where, _), each in sorted(self._objects.items(), key=lambda item: item[0][1:])
                if its == kind and namespace in (None, where)
            ]

    def create(self, each: Json) -> Json:
        """Add an object; metadata that the server gives are set here."""
        made = copy.deepcopy(each)
        kind = kind_of(made)
        meta = made["metadata"]
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        key = (kind, meta.get("namespace", "") if kind.namespaced else "", meta.get("name", ""))
        with self.changed:
            if key in self._objects:
                raise ApiError(409, "AlreadyExists", f'{kind.plural} "{key[2]}" already exists')
            meta["uid"] = str(uuid.uuid4())
            meta["creationTimestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            if "spec" in made:
                meta["generation"] = 1
            _validate(made)
            return self._write(key, made, "ADDED")

    def change(
        self, kind: Kind, namespace: str, name: str, how: Callable[[Json], Json], *, status: bool = False
    ) -> Json:
        """Replace an object by what `how` makes of it.

        Args:
            kind: Of the object.
            namespace: Of the object.
            name: Of the object.
            how: Its resourceVersion, where it sets one, must be the current one.
            status: Whether `status` alone changes, or everything else.
        """
        with self.changed:
            before = self.find(kind, namespace, name)
            after = how(copy.deepcopy(before))
            asked = after["metadata"].get("resourceVersion")
            if asked not in (None, "", before["metadata"]["resourceVersion"]):
                raise ApiError(
                    409,
                    "Conflict",
                    f'Operation cannot be fulfilled on {kind.plural} "{name}": the object has been modified; '
                    "please apply your changes to the latest version and try again",
                )
            for given in ("resourceVersion", "uid", "creationTimestamp"):
                after["metadata"][given] = before["metadata"][given]
            other = before if status else after
            made = {key: value for key, value in other.items() if key != "status"}
            its_status = (after if status else before).get("status")
            if its_status is not None:
                made["status"] = its_status
            if made == before:
                return before
            if made.get("spec") != before.get("spec"):
                made["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
            if not status:
                _validate(made)
            return self._write((kind, namespace, name), made, "MODIFIED")

    def remove(self, kind: Kind, namespace: str, name: str, *, dependents: bool = True) -> Json:
        """Delete an object, and what it owns."""
        with self.changed:
            found = self.find(kind, namespace, name)
            del self._objects[kind, namespace, name]
            self._tell(kind, found, "DELETED")
            uid = found["metadata"]["uid"]
            for (its, where, called), each in list(self._objects.items()):
                owners = each["metadata"].get("ownerReferences", [])
                if dependents and any(owner["uid"] == uid for owner in owners):
                    self.remove(its, where, called)
            return found

    def compact(self) -> None:
        """Forget what has happened so far: whoever wants to go on from there gets 410 Gone."""
        with self.changed:
            self.oldest = self.revision
            self.changed.notify_all()

    def _write(self, key: Key, each: Json, how: Literal["ADDED", "MODIFIED"]) -> Json:
        self._objects[key] = each
        self._tell(key[0], each, how)
        return copy.deepcopy(each)

    def _tell(self, kind: Kind, each: Json, how: Literal["ADDED", "MODIFIED", "DELETED"]) -> None:
        self.revision += 1
        each["metadata"]["resourceVersion"] = str(self.revision)
        self.changes.append(Change(self.revision, how, kind, copy.deepcopy(each)))
        self.changed.notify_all()


def _validate(each: Json) -> None:
    """Hold an object against the API's schema, but for its status, which is the server's own."""
    sent = {key: value for key, value in each.items() if key != "status"}
    try:
        kubernetes_validate.validate(sent, _SCHEMAS, strict=True)
    except jsonschema.ValidationError as error:
        place = ".".join(str(part) for part in error.absolute_path)
        what = f"{each['kind']} {each['metadata'].get('name')!r}"
        raise ApiError(422, "Invalid", f"{what}: {place}: {error.message}") from None
