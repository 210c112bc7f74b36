"""Both helms accept the chart with every file of values, and make the same of it."""

import pytest
import yaml

from scripts import tools
from tests.helm.chart import CASES, CHART, render, run_helm, workload


@pytest.mark.parametrize("case", CASES)
def test_lint_finds_nothing(case: str, major: str) -> None:
    values = [part for file in CASES[case] for part in ("--values", str(file))]
    output = run_helm(major, "lint", "--strict", str(CHART), *values)
    assert "0 chart(s) failed" in output
    assert "WARNING" not in output


@pytest.mark.parametrize("case", CASES)
def test_both_helms_make_the_same(case: str) -> None:
    assert render(case, major="3") == render(case, major="4")


def test_every_object_is_named_after_the_release() -> None:
    for case in CASES:
        names = {each["metadata"]["name"] for each in render(case)}
        assert all(name == "valence" or name.startswith("valence-") for name in names)


def test_a_new_chart_that_changes_nothing_of_the_pods_restarts_none() -> None:
    labels = workload(render())["spec"]["template"]["metadata"]["labels"]
    assert set(labels) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}


def test_a_long_release_name_still_makes_valid_names() -> None:
    values = [part for file in CASES["monitored"] for part in ("-f", str(file))]
    for long in ("a" * 53, "valence-" + "a" * 45):
        output = run_helm("4", "template", long, str(CHART), *values)
        objects = [(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(output) if each]
        assert {"ConfigMap", "PrometheusRule", "Service"} <= {kind for kind, _ in objects}
        assert len(set(objects)) == len(objects)
        assert [name for _, name in objects if len(name) > 63] == []


def test_the_notes_tell_the_next_command() -> None:
    """Helm 3 shows them where there is a cluster only."""
    for case, words in {
        "local": ("kubectl rollout status deployment/valence", "http://localhost:3000/docs"),
        "argo-keda": ("kubectl argo rollouts status valence",),
        "ingress-registry": ("kubectl port-forward", "curl -s https://sentiment.example.org/predict "),
        "minimal": ("pod-readiness-gate-inject",),
        "placed": ("pod-readiness-gate-inject", "leave it unset"),
    }.items():
        values = [part for file in CASES[case] for part in ("--values", str(file))]
        install = ["install", "valence", str(CHART), "-n", "sentiment", "--dry-run=client"]
        output = run_helm("4", *install, *values)
        for word in (*words, "helm test valence -n sentiment", "helm rollback valence -n sentiment"):
            assert word in output


def test_kubectl_can_be_had_too() -> None:
    assert tools.kubectl().is_file()
