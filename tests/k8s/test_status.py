"""How what is intended, deployed and running stand, and how it is brought together."""

import subprocess

import pytest

from scripts import tools
from tests.k8s.conftest import NAMESPACE, Valence, digest
from tests.k8s.fate import Fate


def kubectl(*arguments: str) -> str:
    try:
        program = tools.kubectl()
    except tools.ToolError as error:
        pytest.skip(f"kubectl is missing: {error}")
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def release(valence: Valence, version: str) -> None:
    answer = valence.release("--values", valence.values(version), "--bake", "0", version)
    assert answer.code == 0, answer.said


def test_what_agrees_is_said_with_each_part(valence: Valence) -> None:
    release(valence, "2")
    answer = valence.release("status")
    lines = {line.split()[0]: line for line in answer.said.splitlines()}
    assert "production: unknown" in lines["registry"]
    assert "valence revision 2, deployed: valence-sentiment 2" in lines["helm"]
    assert "deployment valence: valence-sentiment 2" in lines["cluster"]
    assert "Bento valence:1, image valence:2-12345678" in lines["pod"]
    assert answer.said.count("pod       ") == 3
    assert (answer.code, answer.said.splitlines()[-1]) == (0, "all agree")


@pytest.mark.parametrize("helm_major", ["3", "4"], ids=["helm3", "helm4"])
def test_a_bare_rollout_undo_is_seen_and_reconciled(valence: Valence) -> None:
    release(valence, "2")
    kubectl("rollout", "undo", "deployment/valence")
    valence.await_rollout("1")
    answer = valence.release("status")
    assert answer.code == 5
    assert "the Deployment has valence-sentiment 1" in answer.said
    assert "and Helm has valence-sentiment 2" in answer.said
    assert f"`helm rollback valence 2 -n {NAMESPACE}`" in answer.said
    assert f"or keep it: `python -m k8s.release 1 -n {NAMESPACE}`" in answer.said
    release(valence, "1")
    assert valence.release("status").code == 0
    assert valence.helm_model() == "1"


@pytest.mark.parametrize("helm_major", ["3", "4"], ids=["helm3", "helm4"])
def test_after_a_bare_rollout_undo_the_same_model_can_be_released_again(valence: Valence) -> None:
    """Helm has it as deployed, and has to deploy it all the same."""
    release(valence, "2")
    kubectl("rollout", "undo", "deployment/valence")
    valence.await_rollout("1")
    release(valence, "2")
    assert valence.serving == {"2"}
    assert valence.release("status").code == 0


def test_a_release_after_a_bare_rollout_undo_goes_back_to_what_served(valence: Valence) -> None:
    release(valence, "2")
    kubectl("rollout", "undo", "deployment/valence")
    valence.await_rollout("1")
    valence.cluster.serves["2"] = digest("9")
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert answer.code == 1, answer.said
    assert valence.serving == {"1"}
    assert valence.helm_model() == "1"


def test_pods_that_are_not_there_yet_are_said(valence: Valence) -> None:
    valence.cluster.fate("2", Fate.UNSCHEDULABLE)
    valence.helm("upgrade", "valence", str(valence.chart), "--values", valence.values("2"))
    valence.await_pods(3)
    answer = valence.release("status")
    assert answer.code == 5
    assert "not ready (Pending)" in answer.said
    assert f"`kubectl rollout status deployment/valence -n {NAMESPACE}`" in answer.said


def test_a_helm_that_was_killed_is_seen(valence: Valence) -> None:
    release(valence, "2")
    valence.mark_revision("pending-upgrade")
    answer = valence.release("status")
    assert answer.code == 5
    assert "Helm's revision 2 is pending-upgrade (a helm is at it, or was killed)" in answer.said
    assert f"`helm rollback valence -n {NAMESPACE}`" in answer.said


def test_commands_that_are_named_are_for_this_release(valence: Valence) -> None:
    valence.cluster.fate("2", Fate.UNREADY)
    options = ("--values", valence.values("2"), "--bake", "0", "--timeout", "1s", "--context", "stand-in")
    valence.server.fail("patch", "configmaps", 403, "Forbidden")
    assert valence.release("2", *options).code == 4
    answer = valence.release("status", "--context", "stand-in")
    assert answer.code == 5
    assert f"end it with `python -m k8s.release undo -n {NAMESPACE} --context stand-in`" in answer.said


def test_undo_goes_back_and_history_tells_it_in_versions(valence: Valence) -> None:
    release(valence, "2")
    release(valence, "3")
    answer = valence.release("undo", "--why", "complaints")
    assert (answer.code, valence.serving) == (0, {"2"}), answer.said
    told = valence.release("history").said.splitlines()
    assert [line.split()[3] for line in told] == ["1", "2", "3", "2"]
    assert "Rollback to 2: complaints (" in told[-1]
    assert valence.release("undo").code == 0
    assert valence.serving == {"1"}


def test_each_undo_is_told_with_its_own_reason(valence: Valence) -> None:
    for version in ("2", "3"):
        valence.cluster.serves[version] = digest("9")
        answer = valence.release(version, "--values", valence.values(version), "--bake", "0")
        assert answer.code == 1, answer.said
    told = valence.release("history").said.splitlines()
    assert ["released valence-sentiment 2" in line for line in told] == [False, False, True, False, False]
    assert ["released valence-sentiment 3" in line for line in told] == [False, False, False, False, True]


def test_undo_says_where_helm_has_forgotten_the_revision(valence: Valence) -> None:
    release(valence, "2")
    for _ in range(2):
        valence.helm("upgrade", "valence", str(valence.chart), "--reuse-values", "--history-max", "2")
    answer = valence.release("undo")
    assert answer.code == 2
    assert "Helm no longer keeps revision 1, which had valence-sentiment 1" in answer.said
    assert f"python -m k8s.release 1 -n {NAMESPACE}" in answer.said
    assert valence.serving == {"2"}


def test_undo_knows_releases_that_were_made_by_helm_alone(valence: Valence) -> None:
    valence.helm("upgrade", "valence", str(valence.chart), "--values", valence.values("2"))
    valence.await_rollout("2")
    answer = valence.release("undo")
    assert (answer.code, valence.serving) == (0, {"1"}), answer.said


def test_there_may_be_nothing_to_go_back_to(valence: Valence) -> None:
    answer = valence.release("undo")
    assert (answer.code, "release one with python -m k8s.release" in answer.said) == (2, True)


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("--release", "valense", "the Helm release valense in the namespace sentiment"),
        ("--namespace", "sentimental", "the Helm release valence in the namespace sentimental"),
    ],
)
def test_a_release_that_is_not_there_is_named(valence: Valence, option: str, value: str, named: str) -> None:
    answer = valence.release("status", option, value)
    assert answer.code == 2
    assert f"0 Deployments of {named}" in answer.said
    assert "check --release and --namespace (helm list -A)" in answer.said


def test_without_helm_it_says_what_to_install(valence: Valence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM", "no-such-helm")
    answer = valence.release("status")
    assert answer.code == 2
    assert "no-such-helm: not found; install Helm 3 or 4, or let HELM name the program" in answer.said
