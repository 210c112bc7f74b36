"""Values: each is documented, typed and used by a file in ci/, and no other is accepted."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.helm.chart import CASES, CHART, CI, HelmError, render

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
HELMS_OWN = {"global"}


def leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def branches(values: dict[str, Any], path: str = "") -> Iterator[str]:
    yield path
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from branches(value, f"{path}{key}.")


def at(values: object, path: str) -> object:
    for part in path.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def described(path: str) -> dict[str, Any]:
    """Return what the schema says of a value."""
    place: dict[str, Any] = SCHEMA
    for part in path.split("."):
        place = place["properties"][part]
        if "$ref" in place:
            place = SCHEMA["definitions"][place["$ref"].rpartition("/")[2]]
    return place


@pytest.mark.parametrize("path", list(leaves(VALUES)))
def test_every_value_is_typed(path: str) -> None:
    assert {"type", "enum", "anyOf"} & set(described(path))


@pytest.mark.parametrize("path", list(leaves(VALUES)))
def test_every_value_is_used_by_a_file_in_ci(path: str) -> None:
    used = [at(yaml.safe_load(file.read_text()), path) for file in CI]
    assert any(value is not None and value != at(VALUES, path) for value in used)


def test_the_schema_knows_no_other() -> None:
    def named(schema: dict[str, Any], path: str = "") -> Iterator[str]:
        for key, value in schema.get("properties", {}).items():
            inner = SCHEMA["definitions"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
            if "properties" in inner:
                yield from named(inner, f"{path}{key}.")
            else:
                yield f"{path}{key}"

    assert set(named(SCHEMA)) - HELMS_OWN == set(leaves(VALUES))


@pytest.mark.parametrize("path", list(branches(VALUES)), ids=lambda path: path or "top")
def test_a_misspelt_key_is_refused_at_every_level(path: str, major: str) -> None:
    with pytest.raises(HelmError, match="misspelt"):
        render(values={f"{path}misspelt": 1}, major=major)


def test_a_misspelt_key_is_refused_inside_a_network_policys_peer(major: str) -> None:
    with pytest.raises(HelmError, match="namespaceSelectr"):
        render(values={"networkPolicy.from": [{"namespaceSelectr": {}}]}, major=major)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replicas", 0),
        ("replicas", "3"),
        ("image.pullPolicy", "Sometimes"),
        ("image.repository", "with space"),
        ("model.source", "s3"),
        ("server.maxQueueMs", 0),
        ("server.logLevel", "verbose"),
        ("server.corsOrigins", ["example.org"]),
        ("server.maxBatchTexts", 0),
        ("model.version", "latest"),
        ("tolerations", [{"efect": "NoSchedule"}]),
        ("affinity", {"nodeAffinty": {}}),
        ("nodeSelector", {"pool": 1}),
        ("service.annotations", {"internal": True}),
        ("drain.serveSeconds", -1),
        ("resources.cpu", "2 cores"),
        ("resources.memory", "1000"),
        ("service.type", "ExternalName"),
        ("service.sourceRanges", ["everyone"]),
        ("service.aws.scheme", "public"),
        ("service.aws.certificateArn", "my-certificate"),
        ("autoscaling.mode", "off"),
        ("autoscaling.targetCapacityRatio", 2),
        ("serviceAccount.roleArn", "valence"),
        ("monitoring.labels", {"release": 1}),
        ("monitoring.docsUrl", "git.example.org/docs"),
        ("monitoring.docsUrl", 'https://git.example.org/"docs'),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(path: str, value: object, major: str) -> None:
    with pytest.raises(HelmError, match="values don't meet the specifications"):
        render(values={path: value}, major=major)


@pytest.mark.parametrize(
    ("case", "values", "message"),
    [
        ("minimal", {"ingress.enabled": True}, "ingress.host is required"),
        (
            "ingress-registry",
            {"serviceAccount.roleArn": "arn:aws:iam::111122223333:role/valence"},
            "serviceAccount.roleArn is for an account that the chart makes",
        ),
        ("minimal", {"model.source": "registry"}, "model.source=registry needs model.registry"),
        (
            "ingress-registry",
            {"model.registry": "https://mlflow.example.org"},
            "model.registry and model.registrySecret.name exclude one another",
        ),
    ],
)
def test_values_that_contradict_one_another_are_refused(
    case: str, values: dict[str, object], message: str, major: str
) -> None:
    with pytest.raises(HelmError, match=message.replace(".", r"\.")):
        render(case, values, major=major)


def test_it_may_be_part_of_another_chart() -> None:
    """Helm then hands `global` down."""
    assert render(values={"global": {"region": "eu"}}) == render()


def test_every_file_of_values_has_a_case() -> None:
    assert set(CASES) >= {file.stem.removesuffix("-values") for file in CI} | {"eks", "local"}
