"""What is there for those without Helm, or without a cluster, agrees with the chart."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import chart, tools
from tests.helm.chart import DIGEST, ROOT, environment, find, render, server, workload
from tests.helm.schemas import check

DOCUMENTATION = (ROOT / "docs" / "deploy.md").read_text()
OVERLAY = DOCUMENTATION.partition("# kustomization.yaml\n")[2].partition("```")[0]


def kustomize(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [str(tools.kubectl()), "kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.parametrize("kind", chart.KINDS)
def test_a_base_is_what_the_chart_makes_for_that_cluster(kind: str) -> None:
    base = kustomize(chart.BASES / kind)
    for each in base:
        check(each, "1.35")
    made = [each for each in render(kind) if each["kind"] != "Pod"]
    assert {each["kind"] for each in base} == {each["kind"] for each in made}
    assert find(base, "Service")["spec"] == find(made, "Service")["spec"]


@pytest.mark.parametrize("kind", chart.KINDS)
def test_a_base_alone_serves_nothing(kind: str) -> None:
    """Its model is a placeholder, so that nobody serves what they did not name."""
    variables = environment(server(kustomize(chart.BASES / kind)))
    assert variables["VALENCE_MODEL_DIGEST"] == "sha256:" + "0" * 64


def test_the_overlay_of_the_documentation_names_image_and_model(tmp_path: Path) -> None:
    base = chart.BASES / "local"
    resource = "../" * len(tmp_path.resolve().parts[1:]) + str(base.resolve()).lstrip("/")
    content = OVERLAY.replace("../base/local", resource).replace("sha256:…", DIGEST)
    (tmp_path / "kustomization.yaml").write_text(content)
    container = server(kustomize(tmp_path))
    assert container["image"] == "localhost/valence:3-1a2b3c4d"
    pinned, original = environment(container), environment(server(kustomize(base)))
    assert (pinned["VALENCE_MODEL_VERSION"], pinned["VALENCE_MODEL_DIGEST"]) == ("3", DIGEST)
    assert pinned.keys() == original.keys()


def test_the_overlay_of_the_documentation_replaces_what_the_base_for_eks_leaves_open(tmp_path: Path) -> None:
    patches = DOCUMENTATION.partition("patches\n\n```yaml\n")[2].partition("```")[0]
    base = chart.BASES / "eks"
    resource = "../" * len(tmp_path.resolve().parts[1:]) + str(base.resolve()).lstrip("/")
    patches = patches.replace("certificate/…", "certificate/mine").replace("10.0.0.0/20", "10.9.0.0/20")
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{resource}]\n{patches}")
    made = kustomize(tmp_path)
    annotations = find(made, "Service")["metadata"]["annotations"]
    certificate = annotations["service.beta.kubernetes.io/aws-load-balancer-ssl-cert"]
    assert certificate == "arn:aws:acm:eu-west-1:111122223333:certificate/mine"
    assert f"{'0' * 8}-0000" in str(kustomize(base)), "the placeholder"
    (rule,) = find(made, "NetworkPolicy")["spec"]["ingress"]
    assert rule["from"][2:] == [{"ipBlock": {"cidr": "10.9.0.0/20"}}]


def test_kind_brings_the_node_port_of_the_chart_to_this_machine_alone() -> None:
    nodes = yaml.safe_load((ROOT / "k8s" / "kind.yaml").read_text())["nodes"]
    (mapping,) = nodes[0]["extraPortMappings"]
    (port,) = find(render("local"), "Service")["spec"]["ports"]
    assert mapping == {"containerPort": port["nodePort"], "hostPort": 3000, "listenAddress": "127.0.0.1"}
    assert [node["role"] for node in nodes] == ["control-plane", "worker", "worker"]


def test_compose_restricts_the_container_as_the_chart_does() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]["valence"]
    pod = workload(render())["spec"]["template"]["spec"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - a path in the container
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_compose_gives_a_drain_as_long_as_the_chart_does_beyond_serving_on() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]["valence"]
    spec = workload(render())["spec"]["template"]["spec"]
    serve_ms = int(environment(server(render()))["VALENCE_DRAIN_SERVE_MS"])
    assert service["environment"]["VALENCE_DRAIN_SERVE_MS"] == "0"
    assert service["stop_grace_period"] == f"{spec['terminationGracePeriodSeconds'] - serve_ms // 1000}s"
