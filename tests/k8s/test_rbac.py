"""k8s/rbac.yaml grants what a release does, and the tool's own part of it nothing else."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.k8s.asked import Call
from tests.k8s.conftest import Valence
from tests.k8s.fate import Fate
from tests.k8s.kinds import Json

MANIFEST = Path(__file__).resolve().parents[2] / "k8s" / "rbac.yaml"
OBJECTS: list[Json] = list(yaml.safe_load_all(MANIFEST.read_text()))
RULES = {each["metadata"]["name"]: each["rules"] for each in OBJECTS if each["kind"] == "Role"}
EVERYTHING = [rule for rules in RULES.values() for rule in rules]


def granted(rules: list[Json]) -> set[tuple[str, str, str]]:
    return {
        (verb, group, resource)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def asked(calls: list[Call]) -> set[tuple[str, str, str]]:
    return {(call.verb, call.group, call.resource) for call in calls}


@pytest.mark.parametrize("each", OBJECTS, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_the_manifest_is_valid(each: Json) -> None:
    kubernetes_validate.validate(each, "1.35", strict=True)


@pytest.mark.parametrize("helm_major", ["3", "4"], ids=["helm3", "helm4"])
def test_a_release_and_its_undo_need_no_more_than_is_granted(valence: Valence) -> None:
    valence.server.rules = EVERYTHING
    released = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert released.code == 0, released.said
    valence.cluster.fate("3", Fate.CRASHES)
    undone = valence.release("3", "--values", valence.values("3"), "--bake", "0", "--timeout", "3s")
    assert undone.code == 1, undone.said
    assert valence.release("history").code == 0
    assert valence.release("status").code in (0, 5)
    back = valence.release("undo")
    assert back.code == 0, back.said
    assert valence.serving == {"1"}


def test_the_tools_own_role_grants_nothing_that_it_does_not_use(valence: Valence) -> None:
    for version, fate in (("2", Fate.CRASHES), ("3", Fate.UNREADY)):
        valence.cluster.fate(version, fate)
        values = valence.values(version)
        assert valence.release(version, "--values", values, "--bake", "0", "--timeout", "3s").code == 1
    assert valence.release("4", "--values", valence.values("4"), "--bake", "0").code == 0
    ours = asked([call for call in valence.server.calls if "python" in call.agent.lower()])
    assert ours == granted(RULES["valence-release"])


def test_what_is_not_granted_is_named(valence: Valence) -> None:
    rules = [rule for rule in EVERYTHING if "pods/proxy" not in rule["resources"]]
    valence.server.rules = rules
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert (answer.code, valence.serving) == (2, {"1"})
    assert "403" in answer.said
    assert "k8s/rbac.yaml lists the rights" in answer.said
    valence.server.rules = [*rules, {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]}]
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert answer.code == 4
    assert "the same command goes on" in answer.said
    valence.server.rules = EVERYTHING
    assert valence.release("2", "--values", valence.values("2"), "--bake", "0").code == 0
