"""Secrets come by reference: no object holds one, and no value takes one."""

import pytest
import yaml

from tests.helm.chart import CASES, CHART, HelmError, containers, environment, kinds, pods, render, server


@pytest.mark.parametrize("case", CASES)
def test_the_chart_makes_no_secret(case: str) -> None:
    assert "Secret" not in kinds(render(case))


def test_the_admin_token_and_the_registry_are_references() -> None:
    variables = environment(server(render("ingress-registry")))
    assert variables["VALENCE_ADMIN_TOKEN"] == {
        "secretKeyRef": {"name": "valence-admin", "key": "admin-token"}
    }
    assert variables["VALENCE_REGISTRY"] == {"secretKeyRef": {"name": "mlflow", "key": "tracking-uri"}}


def test_without_one_there_is_no_admin() -> None:
    assert "VALENCE_ADMIN_TOKEN" not in environment(server(render()))


def test_no_variable_that_sounds_secret_has_a_value() -> None:
    for case in CASES:
        for pod in pods(render(case)):
            for container in containers(pod):
                for name, value in environment(container).items():
                    if any(word in name for word in ("TOKEN", "SECRET", "PASSWORD", "KEY")):
                        assert isinstance(value, dict), name


@pytest.mark.parametrize("value", ["model.registry", "server.otlpEndpoint", "monitoring.prometheusUrl"])
def test_an_address_with_credentials_is_refused(value: str) -> None:
    with pytest.raises(HelmError, match=rf"{value}=… is refused: .*no credentials") as refused:
        render(values={value: "https://me:hunter2@mlflow.example.org"})
    assert "hunter2" not in str(refused.value)


def test_values_that_name_secrets_are_empty_by_default() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values["model"]["registrySecret"]["name"] == ""
    assert values["server"]["adminTokenSecret"]["name"] == ""
    assert values["image"]["pullSecrets"] == []
