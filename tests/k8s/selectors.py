"""Which objects a list or a watch is about."""

import re

from tests.k8s.kinds import Json
from tests.k8s.store import ApiError

_SET = re.compile(r"(?P<key>\S+)\s+(?P<how>in|notin)\s+\((?P<values>[^)]*)\)")
_PLAIN = re.compile(r"(?P<key>[^!=\s]+)\s*(?P<how>==|=|!=)\s*(?P<value>\S*)")
_FIELDS = (
    *("metadata.name", "metadata.namespace", "status.phase", "spec.nodeName", "type", "reason"),
    *(f"involvedObject.{part}" for part in ("kind", "name", "namespace", "uid")),
)


def selected(each: Json, labels: str, fields: str) -> bool:
    """Whether an object is meant by a label selector and a field selector."""
    has = each["metadata"].get("labels", {})
    return all(_label_fits(has, part) for part in re.split(r",(?![^(]*\))", labels) if part) and all(
        _field_fits(each, part) for part in fields.split(",") if part
    )


def _label_fits(has: dict[str, str], part: str) -> bool:
    if among := _SET.fullmatch(part.strip()):
        values = {value.strip() for value in among["values"].split(",")}
        return (has.get(among["key"]) in values) == (among["how"] == "in")
    if plain := _PLAIN.fullmatch(part.strip()):
        return (has.get(plain["key"]) == plain["value"]) == (plain["how"] != "!=")
    if part.startswith("!"):
        return part[1:] not in has
    return part in has


def _field_fits(each: Json, part: str) -> bool:
    plain = _PLAIN.fullmatch(part)
    if plain is None or plain["key"] not in _FIELDS:
        raise ApiError(400, "BadRequest", f"field label not supported: {part}")
    found: object = each
    for step in plain["key"].split("."):
        found = found.get(step, "") if isinstance(found, dict) else ""
    return (found == plain["value"]) == (plain["how"] != "!=")
