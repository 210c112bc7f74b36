"""A release goes on through what an API server does on a bad day, and after an interruption."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.k8s.conftest import Valence
from tests.k8s.fate import Fate

ROOT = Path(__file__).resolve().parents[2]


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
    assert answer.code == 4
    assert "the API server does not answer" in answer.said
    assert "kubectl cluster-info" in answer.said


@pytest.mark.parametrize("moment", ["new pods ready", "going back"], ids=["rolling", "undoing"])
def test_an_interrupted_release_is_gone_on_with(valence: Valence, moment: str) -> None:
    valence.cluster.fate("2", Fate.UNREADY)
    options = ["--values", valence.values("2"), "--bake", "0"]
    timeout = "600s" if moment == "new pods ready" else "2s"
    if moment == "going back":
        valence.server.delay("patch", "configmaps", 2, times=2)  # so that it is caught in the act
    with subprocess.Popen(
        [sys.executable, "-m", "k8s.release", "2", *options, "--timeout", timeout],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if moment in line:
                break
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 130, said
    assert "the same command goes on" in said
    valence.cluster.fate("2", Fate.READY)
    answer = valence.release("2", *options)
    revisions = json.loads(valence.helm("history", "valence", "--output", "json"))
    (record,) = valence.records
    if moment == "going back":
        assert answer.code in (0, 1), answer.said  # as its undo had been written down, or not yet
    else:
        assert "going on with the release of valence-sentiment 2" in answer.said
        assert (answer.code, len(revisions), record.state) == (0, 2, "kept"), answer.said


def test_a_helm_that_was_killed_is_brought_back_first(valence: Valence) -> None:
    """Helm leaves `pending-upgrade` behind and refuses to go on by itself."""
    values = valence.values("2")
    valence.cluster.fate("2", Fate.UNREADY)
    valence.server.delay("patch", "deployments", 30)
    with subprocess.Popen(
        [sys.executable, "-m", "k8s.release", "2", "--values", values, "--bake", "0"],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        with valence.server.store.changed:
            begun = valence.server.store.changed.wait_for(lambda: patches(valence) == 1, 60)
        assert begun
        os.killpg(process.pid, signal.SIGKILL)
    assert "pending-upgrade" in valence.helm("history", "valence")
    valence.cluster.fate("2", Fate.READY)
    answer = valence.release("2", "--values", values, "--bake", "0")
    assert answer.code == 0, answer.said
    assert "helm was interrupted at revision 2: back to 1 first" in answer.said
    assert valence.serving == {"2"}


def patches(valence: Valence) -> int:
    calls = valence.server.calls
    return sum((call.verb, call.resource) == ("patch", "deployments") for call in calls)
