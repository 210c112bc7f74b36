"""Selectors select the server's pods and no others; ports and names meet."""

from typing import Any

import pytest

from tests.helm.chart import CASES, containers, find, kinds, pods, render, server, workload


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def selectors(objects: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    found = {"Service": find(objects, "Service")["spec"]["selector"]}
    for each in objects:
        for key in ("selector", "podSelector"):
            if "matchLabels" in each.get("spec", {}).get(key, {}) and each["kind"] != "ServiceMonitor":
                found[each["kind"]] = each["spec"][key]["matchLabels"]
    spread = workload(objects)["spec"]["template"]["spec"]["topologySpreadConstraints"]
    return found | {each["topologyKey"]: each["labelSelector"]["matchLabels"] for each in spread}


@pytest.mark.parametrize("case", CASES)
def test_selectors_select_the_server_and_not_the_test(case: str) -> None:
    objects = render(case)
    serving = workload(objects)["spec"]["template"]["metadata"]["labels"]
    others = [each["metadata"]["labels"] for each in objects if each["kind"] == "Pod"]
    assert others
    for kind, selector in selectors(objects).items():
        assert selects(selector, serving), kind
        assert not any(selects(selector, labels) for labels in others), kind


def test_two_releases_do_not_select_each_others_pods() -> None:
    assert selectors(render())["Service"]["app.kubernetes.io/instance"] == "valence"


def test_selectors_do_not_change_with_the_version() -> None:
    """They are immutable: a version in them would make the next upgrade fail."""
    for selector in selectors(render()).values():
        assert set(selector) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}


@pytest.mark.parametrize("case", CASES)
def test_the_service_leads_to_the_servers_port(case: str) -> None:
    objects = render(case)
    (port,) = server(objects)["ports"]
    assert port == {"name": "http", "containerPort": 3000}
    assert [each["targetPort"] for each in find(objects, "Service")["spec"]["ports"]] == ["http"]


@pytest.mark.parametrize("case", CASES)
def test_the_service_account_is_there(case: str) -> None:
    objects = render(case)
    name = workload(objects)["spec"]["template"]["spec"]["serviceAccountName"]
    made = [each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"]
    assert made == ([] if case == "ingress-registry" else [name])


def test_pods_take_on_the_iam_role() -> None:
    account = find(render("internet"), "ServiceAccount")
    role = "arn:aws:iam::111122223333:role/valence"
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": role}
    assert "annotations" not in find(render(), "ServiceAccount")["metadata"]


@pytest.mark.parametrize("case", CASES)
def test_pods_spread_over_zones_and_nodes_and_still_start_on_one(case: str) -> None:
    objects = render(case)
    hash_label = "rollouts-pod-template-hash" if "Rollout" in kinds(objects) else "pod-template-hash"
    spread = workload(objects)["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    for each in spread:
        assert each["whenUnsatisfiable"] == "ScheduleAnyway"
        assert each["matchLabelKeys"] == [hash_label], (
            "else the old pods of a rollout push the new ones about"
        )


def test_all_pods_go_where_they_are_told_to() -> None:
    found = [pod["spec"] for pod in pods(render("placed"))]
    assert len(found) == 2
    for spec in found:
        assert spec["nodeSelector"] == {"node.example.org/pool": "inference"}
        assert spec["tolerations"][0]["effect"] == "NoSchedule"
        assert set(spec["affinity"]) == {"podAntiAffinity"}
        assert spec["priorityClassName"] == "serving"


def test_pods_go_anywhere_where_nothing_is_said() -> None:
    for pod in pods(render()):
        assert not {"nodeSelector", "tolerations", "affinity", "priorityClassName"} & set(pod["spec"])


def test_what_opens_a_private_registry_is_given_to_every_pod() -> None:
    for pod in pods(render("internet")):
        assert pod["spec"]["imagePullSecrets"] == [{"name": "registry-login"}]


def test_every_container_runs_the_same_image() -> None:
    for case in CASES:
        images = {container["image"] for pod in pods(render(case)) for container in containers(pod)}
        assert len(images) == 1
