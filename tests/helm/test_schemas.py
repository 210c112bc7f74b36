"""Every object fits the API's own schema, closed, for each Kubernetes that the chart names; unknown kinds are failures."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from tests.helm.chart import CASES, Object, render

VERSIONS = ["1.29", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35"]
CRDS = Path(__file__).with_name("crds")


def check(each: Object, version: str) -> None:
    custom = CRDS / f"{each['kind'].lower()}.json"
    if not custom.exists():
        kubernetes_validate.validate(each, version, strict=True)
        return
    jsonschema.validate(each, closed(json.loads(custom.read_text())))
    if each["kind"] == "Rollout":  # its pods are those of a Deployment
        shared = {key: each["spec"][key] for key in ("selector", "template")}
        twin = {**each, "apiVersion": "apps/v1", "kind": "Deployment", "spec": shared}
        kubernetes_validate.validate(twin, version, strict=True)


def closed(schema: Any) -> Any:
    """Close every object of a schema that names its properties, so that a misspelt key does not pass."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_every_object_is_valid(case: str, version: str) -> None:
    objects = render(case)
    assert objects
    for each in objects:
        check(each, version)


def test_a_misspelt_key_would_be_found() -> None:
    for case, kind, path in [
        ("minimal", "Service", ["spec"]),
        ("minimal", "Deployment", ["spec", "template", "spec"]),
        ("monitored", "ServiceMonitor", ["spec"]),
        ("argo-keda", "ScaledObject", ["spec", "advanced"]),
        ("argo-keda", "Rollout", ["spec", "strategy", "canary"]),
        ("argo-keda", "Rollout", ["spec", "template", "spec"]),
        ("argo-keda", "AnalysisTemplate", ["spec"]),
    ]:
        (found,) = [each for each in render(case) if each["kind"] == kind]
        place = found
        for part in path:
            place = place[part]
        place["misspelt"] = 1
        with pytest.raises(jsonschema.ValidationError, match="misspelt"):
            check(found, VERSIONS[-1])
