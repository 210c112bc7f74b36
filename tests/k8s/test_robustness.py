"""A release goes on through what an API server does on a bad day, and after an interruption."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.k8s.conftest import WITHIN_S, Answering, Valence, await_line, begin
from tests.k8s.fate import Fate


@pytest.mark.parametrize(
    ("verb", "resource", "code", "reason"),
    [
        ("patch", "configmaps", 409, "Conflict"),
        ("create", "configmaps", 409, "AlreadyExists"),
        ("watch", "deployments", 410, "Expired"),
        ("list", "pods", 503, "ServiceUnavailable"),
        ("list", "deployments", 429, "TooManyRequests"),
        ("create", "pods/proxy", 502, "BadGateway"),
    ],
)
def test_what_passes_is_tried_again(
    valence: Valence, verb: str, resource: str, code: int, reason: str
) -> None:
    valence.server.fail(verb, resource, code, reason, times=2)
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert answer.code == 0, answer.said
    assert valence.serving == {"2"}


def test_a_watch_whose_revision_is_forgotten_begins_anew(valence: Valence) -> None:
    valence.cluster.fate("2", Fate.UNREADY)
    valence.server.store.compact()
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0", "--timeout", "3s")
    assert (answer.code, "NotReady" in answer.said) == (1, True)


def test_an_answer_that_does_not_come_is_told(valence: Valence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("k8s.release.api._ANSWER_S", 0.1)
    valence.server.delay("list", "deployments", 0.5, times=10)
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert answer.code == 2
    assert "the API server does not answer" in answer.said
    assert "kubectl cluster-info" in answer.said


def test_a_server_that_has_answered_may_be_away_for_a_while(
    valence: Valence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("k8s.release.api._LONGEST_PAUSE_S", 0.01)
    valence.server.fail("list", "replicasets", 503, "ServiceUnavailable", times=50)
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert answer.code == 0, answer.said


def test_what_ends_in_the_middle_says_that_it_can_be_gone_on_with(
    valence: Valence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("k8s.release.api._PATIENCE_S", 0.1)
    valence.server.fail("patch", "configmaps", 500, "InternalError", times=5)
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert answer.code == 4
    assert "is not at its end: the same command goes on" in answer.said
    again = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert (again.code, valence.serving) == (0, {"2"}), again.said


def test_an_expired_token_is_named(valence: Valence) -> None:
    valence.server.token = "another"  # noqa: S105
    answer = valence.release("status")
    assert answer.code == 2
    assert "401: Unauthorized; sign in again" in answer.said


def test_a_server_that_is_no_kubernetes_is_named(
    valence: Valence, answering: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = answering(200, "<html>Sign in</html>")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "other",
        "clusters": [{"name": "other", "cluster": {"server": f"http://{address}"}}],
        "users": [{"name": "other", "user": {"token": "x"}}],
        "contexts": [{"name": "other", "context": {"cluster": "other", "user": "other"}}],
    }
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "other"))
    (tmp_path / "other").write_text(json.dumps(config))
    answer = valence.release("status")
    assert answer.code == 2
    assert f"http://{address}: no JSON object, as of Kubernetes, but '<html>Sign in</html>'" in answer.said


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let processes hear Ctrl-C, which those that are begun from a background job ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_release_is_gone_on_with(valence: Valence) -> None:
    valence.cluster.fate("2", Fate.UNREADY)
    options = ["--values", valence.values("2"), "--bake", "0"]
    with begin("2", *options) as process:
        await_line(process, "0 of 3 new pods ready")
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=WITHIN_S)[0]
    assert process.returncode == 130, said
    assert "the same command goes on" in said
    valence.cluster.fate("2", Fate.READY)
    answer = valence.release("2", *options)
    assert "going on with the release of valence-sentiment 2" in answer.said
    (record,) = valence.records
    assert (answer.code, revisions(valence), record.state) == (0, 2, "kept"), answer.said


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_undo_is_gone_on_with(valence: Valence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("k8s.release.releasing._HELM_MAY_TAKE_S", 0)
    valence.cluster.fate("2", Fate.UNREADY)
    options = ["--values", valence.values("2"), "--bake", "0"]
    with begin("2", *options, "--timeout", "3s") as process:
        await_line(process, "0 of 3 new pods ready")
        valence.server.delay("patch", "deployments", 30)  # so that it is caught in the act
        await_patches(valence, 2)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=WITHIN_S)[0]
    assert process.returncode == 130, said
    valence.cluster.fate("2", Fate.READY)
    answer = valence.release("2", *options)
    assert "going on with the release of valence-sentiment 2" in answer.said
    (record,) = valence.records
    assert (answer.code, valence.serving, record.state) == (1, {"1"}, "undone"), answer.said
    assert "not complete after" in (record.reason or "")


def test_a_helm_that_was_killed_is_brought_back_first(
    valence: Valence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Helm leaves `pending-upgrade` behind and refuses to go on by itself."""
    monkeypatch.setattr("k8s.release.releasing._HELM_MAY_TAKE_S", 0)
    values = valence.values("2")
    valence.cluster.fate("2", Fate.UNREADY)
    valence.server.delay("patch", "deployments", 30)
    with subprocess.Popen(
        [sys.executable, "-m", "k8s.release", "2", "--values", values, "--bake", "0"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        await_patches(valence, 1)
        os.killpg(process.pid, signal.SIGKILL)
    assert "pending-upgrade" in valence.helm("history", "valence")
    valence.cluster.fate("2", Fate.READY)
    answer = valence.release("2", "--values", values, "--bake", "0")
    assert answer.code == 0, answer.said
    assert "helm was interrupted at revision 2: back to 1 first" in answer.said
    assert valence.serving == {"2"}


def await_patches(valence: Valence, count: int) -> None:
    """Wait until helm has begun to change the Deployment so often."""

    def met() -> bool:
        calls = valence.server.calls
        return sum((call.verb, call.resource) == ("patch", "deployments") for call in calls) >= count

    with valence.server.store.changed:
        assert valence.server.store.changed.wait_for(met, WITHIN_S)


def revisions(valence: Valence) -> int:
    return len(json.loads(valence.helm("history", "valence", "--output", "json")))
