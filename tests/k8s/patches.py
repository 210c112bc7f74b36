"""How Kubernetes changes an object by a patch."""

import copy
from typing import Any

from tests.k8s.kinds import Json

_KEYS = {"containers": "name", "initContainers": "name", "env": "name", "volumes": "name"} | {
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "conditions": "type",
    "topologySpreadConstraints": "topologyKey",
    "imagePullSecrets": "name",
}


def merge(target: Any, patch: Any) -> Any:  # noqa: ANN401 - JSON
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    made = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merge(made.get(key), value)
    return made


def apply_operations(target: Json, patch: Any) -> Json:  # noqa: ANN401 - JSON
    """A JSON patch (RFC 6902) of operations on the members of objects."""
    made = copy.deepcopy(target)
    for operation in patch:
        *path, last = [_unescape(step) for step in operation["path"].split("/")[1:]]
        where = made
        for step in path:
            where = where[step]
        match operation["op"]:
            case "add" | "replace":
                where[last] = operation["value"]
            case "remove":
                del where[last]
            case other:
                raise NotImplementedError(other)
    return made


def _unescape(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


def strategic_merge(target: Any, patch: Any, field: str = "") -> Any:  # noqa: ANN401 - JSON
    """A merge in which the items of known lists are told apart by a key."""
    if isinstance(patch, list) and field in _KEYS and all(isinstance(each, dict) for each in patch):
        return _merge_list(target or [], patch, field)
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    made: Json = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            made.pop(key, None)
        else:
            made[key] = strategic_merge(made.get(key), value, key)
    return made


def _merge_list(target: list[Json], patch: list[Json], field: str) -> list[Json]:
    key = "port" if field == "ports" and any("port" in each for each in [*target, *patch]) else _KEYS[field]
    made = {each.get(key): each for each in target}
    for each in patch:
        name = each.get(key)
        if each.get("$patch") == "delete":
            made.pop(name, None)
        else:
            made[name] = strategic_merge(made.get(name), each)
    return list(made.values())
