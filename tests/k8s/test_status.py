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
    assert "valence revision 2: valence-sentiment 2" in lines["helm"]
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
    assert "or keep it: `python -m k8s.release 1`" in answer.said
    release(valence, "1")
    assert valence.release("status").code == 0
    assert valence.helm_model() == "1"


def test_after_a_bare_rollout_undo_the_old_model_can_be_released_again(valence: Valence) -> None:
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


def test_undo_knows_releases_that_were_made_by_helm_alone(valence: Valence) -> None:
    valence.helm("upgrade", "valence", str(valence.chart), "--values", valence.values("2"))
    valence.await_rollout("2")
    answer = valence.release("undo")
    assert (answer.code, valence.serving) == (0, {"1"}), answer.said


def test_there_may_be_nothing_to_go_back_to(valence: Valence) -> None:
    answer = valence.release("undo")
    assert (answer.code, "release one with python -m k8s.release" in answer.said) == (2, True)


def test_a_release_that_is_not_there_is_named(valence: Valence) -> None:
    answer = valence.release("status", "--release", "valense")
    assert answer.code == 2
    assert "0 Deployments of the Helm release valense in the namespace sentiment" in answer.said
