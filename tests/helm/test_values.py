"""Values: each is documented, typed and used by a file in ci/, and no other is accepted."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.chart import ACCOUNT, CASES, CHART, CI, EKS, PINS, HelmError, render, run_helm

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
_, _, _FORMS = (CHART / "templates" / "_forms.tpl").read_text().partition('define "valence.forms" -}}')
FORMS = yaml.safe_load(_FORMS.partition("{{- end -}}")[0])
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


@pytest.mark.parametrize("path", list(branches(VALUES)), ids=lambda path: path or "top")
def test_no_value_may_be_missing(path: str) -> None:
    place, values = (described(path[:-1]), at(VALUES, path[:-1])) if path else (SCHEMA, VALUES)
    assert isinstance(values, dict)
    assert set(place["required"]) == set(values)


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


@pytest.mark.parametrize("path", ["server", "server.maxQueueMs", "networkPolicy.from"])
def test_null_is_refused_as_it_takes_a_default_away(path: str, major: str) -> None:
    key = path.rpartition(".")[2]
    with pytest.raises(HelmError, match=rf"missing property '{key}'|: {key} is required"):
        render(values={path: None}, major=major)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replicas", 0),
        ("replicas", "3"),
        ("image", "registry.example.org/valence:3"),
        ("image.tag", 1.2),
        ("image.pullPolicy", "Sometimes"),
        ("model.version", 0),
        ("model.source", "s3"),
        ("server.maxQueueMs", 0),
        ("server.logLevel", "verbose"),
        ("server.maxBatchTexts", 0),
        ("server.corsOrigins", "https://example.org"),
        ("tolerations", [{"efect": "NoSchedule"}]),
        ("affinity", {"nodeAffinty": {}}),
        ("nodeSelector", {"pool": 1}),
        ("service.annotations", {"internal": True}),
        ("drain.serveSeconds", -1),
        ("resources.cpu", 0),
        ("service.type", "ExternalName"),
        ("service.aws.scheme", "public"),
        ("autoscaling.mode", "off"),
        ("autoscaling.targetCapacityRatio", 2),
        ("ingress.enabled", "yes"),
        ("monitoring.labels", {"release": 1}),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_its_name(path: str, value: object, major: str) -> None:
    with pytest.raises(HelmError, match="values don't meet the specifications") as refused:
        render(values={path: value}, major=major)
    assert path.replace(".", "/") in str(refused.value).replace(".", "/")


ILL_FORMED: dict[str, list[Any]] = {
    "image.repository": ["with space", "valence:3", "Registry.example.org/valence", "valence@sha256:12", ""],
    "image.tag": ["3 or 4", "a/b"],
    "image.digest": ["sha256:12", "0123"],
    "image.pullSecrets": [["registry login"]],
    "model.name": ["models:/valence-sentiment", ""],
    "model.version": ["production", "latest", "v3", "1.5", "0"],
    "model.digest": ["sha256:12"],
    "model.registry": ["mlflow:5000", "sqlite:///mlflow.db"],
    "server.corsOrigins": [["example.org"], ["https://example.org", "https://example.org/page"]],
    "server.otlpEndpoint": ["collector:4318"],
    "resources.cpu": ["2 cores", "0", "0m", "0.0"],
    "resources.memory": ["1000", "1G", "1.5Gi", "0Mi"],
    "service.sourceRanges": [["everyone"], ["10.0.0.0/8", "203.0.113.7"]],
    "service.aws.certificateArn": ["mine", "arn:aws:acm:eu-west-1:111122223333:certificate/REPLACE"],
    "ingress.host": ["https://sentiment.example.org", "sentiment.example.org/predict"],
    "networkPolicy.from": [
        [{"ipBlock": {"cidr": "10.0.0.1"}}],
        [{"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0"]}}],
    ],
    "serviceAccount.roleArn": ["valence"],
    "monitoring.namespace": ["Monitoring"],
    "monitoring.prometheusUrl": ["prometheus:9090", ""],
    "monitoring.docsUrl": [
        "git.example.org/docs",
        'https://git.example.org/"docs',
        "https://me:secret@git.example.org",
    ],
}


@pytest.mark.parametrize(
    ("path", "value"), [(path, each) for path, examples in ILL_FORMED.items() for each in examples]
)
def test_what_does_not_look_right_is_refused_with_the_remedy(path: str, value: object) -> None:
    with pytest.raises(HelmError, match=rf"{path}=.* is refused: write {re.escape(FORMS[path]['write'])}"):
        render(values={path: value})


@pytest.mark.parametrize("path", ILL_FORMED)
def test_by_helm_3_too(path: str) -> None:
    with pytest.raises(HelmError, match=rf"{path}=.* is refused: write "):
        render(values={path: ILL_FORMED[path][0]}, major="3")


def test_every_form_is_tried() -> None:
    assert ILL_FORMED.keys() == FORMS.keys()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image.repository", "127.0.0.1:5000/team_a/valence"),
        ("model.version", 7),
        ("resources.cpu", 0.5),
        ("resources.cpu", "1500m"),
        ("server.corsOrigins", ["*"]),
        ("service.sourceRanges", ["2001:db8::/32"]),
        ("ingress.host", "*.example.org"),
        ("service.annotations", {"a": "REPLACE"}),
    ],
)
def test_what_looks_right_is_not(path: str, value: object) -> None:
    assert render(values={path: value})


@pytest.mark.parametrize("path", ["image.repository", "service.aws.certificateArn"])
def test_the_placeholders_for_eks_are_refused(path: str, tmp_path: Path) -> None:
    """All are named but one."""
    account = yaml.safe_load(ACCOUNT.read_text())
    place = account
    *parents, last = path.split(".")
    for part in parents:
        place = place[part]
    del place[last]
    (tmp_path / "account.yaml").write_text(yaml.safe_dump(account))
    values = [part for file in (EKS, PINS, tmp_path / "account.yaml") for part in ("--values", str(file))]
    with pytest.raises(HelmError, match=rf"{path}=.*REPLACE.* is refused: write "):
        run_helm("4", "template", "valence", str(CHART), *values)


def test_no_other_value_for_eks_is_a_placeholder() -> None:
    values = yaml.safe_load(EKS.read_text())
    left = {path for path in leaves(values) if "REPLACE" in str(at(values, path))}
    assert left == set(leaves(yaml.safe_load(ACCOUNT.read_text())))


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
