"""An object against the schema that its API has for it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate

from tests.helm.chart import Object

_CRDS = Path(__file__).with_name("crds")


def check(each: Object, version: str) -> None:
    """Check one object.

    Raises:
        jsonschema.ValidationError: It does not fit, or has a key that the schema does not know.
        kubernetes_validate.SchemaNotFoundError: This Kubernetes has no such kind.
    """
    if not (custom := _CRDS / f"{each['kind'].lower()}.json").exists():
        assert kubernetes_validate.validate(each, version, strict=True) == version
        return
    _validator(custom).validate(each)
    if each["kind"] == "Rollout":  # its pods are those of a Deployment
        shared = {key: each["spec"][key] for key in ("selector", "template")}
        twin = {**each, "apiVersion": "apps/v1", "kind": "Deployment", "spec": shared}
        kubernetes_validate.validate(twin, version, strict=True)


@cache
def _validator(path: Path) -> jsonschema.Draft202012Validator:
    schema = _closed(json.loads(path.read_text()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _closed(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Close every object of a schema that names its properties, so that a misspelt key does not pass."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made
