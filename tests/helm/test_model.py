"""The model is pinned in the pod template, by version and digest, so that going back goes back."""

from pathlib import Path

import pytest
import yaml

from tests.helm.chart import (
    CASES,
    CHART,
    DIGEST,
    HelmError,
    containers,
    environment,
    render,
    run_helm,
    server,
    workload,
)


@pytest.mark.parametrize("case", CASES)
def test_the_pod_names_one_digest_and_version(case: str) -> None:
    objects = render(case)
    variables = environment(server(objects))
    template = workload(objects)["spec"]["template"]
    version = "12" if case == "ingress-registry" else "3"
    assert (variables["VALENCE_MODEL_VERSION"], variables["VALENCE_MODEL_DIGEST"]) == (version, DIGEST)
    assert template["metadata"]["annotations"]["valence/model"].endswith(f"/{version}@{DIGEST}")
    assert "@production" not in str(template)


@pytest.mark.parametrize("case", CASES)
def test_the_pod_depends_on_nothing_that_going_back_would_not_bring_back(case: str) -> None:
    spec = workload(render(case))["spec"]["template"]["spec"]
    assert "configMap" not in str(spec)
    assert all("envFrom" not in container for container in spec["containers"])


def test_the_image_brings_the_model() -> None:
    objects = render()
    assert environment(server(objects))["VALENCE_MODEL"] == "/app/model"
    assert "initContainers" not in workload(objects)["spec"]["template"]["spec"]


def test_or_it_is_fetched_and_checked_before_the_server_starts() -> None:
    objects = render("ingress-registry")
    pod = workload(objects)["spec"]["template"]
    fetch, serve = containers(pod)
    assert fetch["command"] == ["python", "-m", "bento.fetch"]
    assert fetch["args"] == ["models:/valence-sentiment-de/12", "/model/package", "--digest", DIGEST]
    assert environment(serve)["VALENCE_MODEL"] == "/model/package"
    registry = {"secretKeyRef": {"name": "mlflow", "key": "tracking-uri"}}
    assert environment(fetch)["VALENCE_REGISTRY"] == registry


def test_the_registry_of_a_baked_model_is_where_versions_are_read_from() -> None:
    assert environment(server(render("monitored")))["VALENCE_REGISTRY"] == "http://mlflow.mlflow.svc:5000"
    assert "VALENCE_REGISTRY" not in environment(server(render()))


@pytest.mark.parametrize(
    "values",
    [{"model.digest": ""}, {"model.version": ""}],
    ids=["no digest", "no version"],
)
def test_an_unpinned_model_is_refused_with_the_remedy(values: dict[str, str], major: str) -> None:
    with pytest.raises(HelmError, match=r"model\.version and model\.digest are required: add"):
        render(values=values, major=major)


@pytest.mark.parametrize(
    ("path", "value", "remedy"),
    [
        (
            "model.version",
            "production",
            "write the number that `python -m bento.resolve models:/NAME@ALIAS` prints",
        ),
        ("model.digest", "sha256:12", "as `make image` writes them to .valence/image/values.yaml"),
        ("image.tag", "latest", "write the tag that `make image` prints"),
    ],
    ids=["alias", "short digest", "floating tag"],
)
def test_what_moves_is_refused_with_the_remedy(path: str, value: str, remedy: str, major: str) -> None:
    with pytest.raises(HelmError, match=f"{path}={value} is refused.*{remedy}"):
        render(values={path: value}, major=major)


def test_a_change_of_any_setting_makes_new_pods_that_differ_by_checksum() -> None:
    def checksum(values: dict[str, object]) -> str:
        annotations = workload(render(values=values))["spec"]["template"]["metadata"]["annotations"]
        found: str = annotations["checksum/settings"]
        return found

    changes: list[dict[str, object]] = [
        {},
        {"model.version": "4"},
        {"server.logLevel": "debug"},
        {"server.maxQueueMs": 5},
        {"drain.serveSeconds": 21},
        {"server.adminTokenSecret.name": "other"},
    ]
    checksums = [checksum(change) for change in changes]
    assert len(set(checksums)) == len(changes)
    assert checksum({"replicas": 5}) == checksums[0], "what does not reach the pods restarts none"


@pytest.mark.parametrize("version", [1_234_567, "1234567", 999_999_999])
def test_a_large_version_is_written_out(version: object, major: str, tmp_path: Path) -> None:
    """To Helm, a number in a file is a float."""
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"model": {"version": version, "digest": DIGEST}}))
    rendered = run_helm(major, "template", "valence", str(CHART), "--values", str(values))
    assert "e+" not in rendered
    assert rendered.count(str(version)) >= 2
