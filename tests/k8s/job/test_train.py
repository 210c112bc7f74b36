"""Training as a Job: what the cluster is told, how it is followed and ends, and what there is without one."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from k8s.job.manifest import Wish, make_job
from tests.k8s.api_server import ApiServer
from tests.k8s.kinds import Json, kind_of

ROOT = Path(__file__).resolve().parents[3]
NAMESPACE = "sentiment"
WITHIN_S = 60
JOB = kind_of({"apiVersion": "batch/v1", "kind": "Job"})
POD = kind_of({"apiVersion": "v1", "kind": "Pod"})
PLACED = ("--image", "registry.example.org/valence-train:1", "--tracking-uri", "http://mlflow:5000")


def wish(**changes: Any) -> Wish:  # noqa: ANN401
    usual: dict[str, Any] = {
        "image": "train:1",
        "arguments": ["--data", "s3://texts/all.csv"],
        "cpu": "4",
        "memory": "8Gi",
        "gpus": 0,
        "retries": 1,
        "ttl_s": 3600,
        "tracking_uri": "http://mlflow:5000",
        "secrets": [],
        "service_account": "",
        "pull_secret": "",
    }
    return Wish(**usual | changes)


def until(condition: Callable[[], Any]) -> Any:  # noqa: ANN401
    deadline = time.monotonic() + WITHIN_S
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


class Cluster:
    """Does what controllers and nodes would, when the test says so."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def job(self) -> Json:
        found: list[Json] = until(lambda: self.server.store.all(JOB, NAMESPACE))
        return found[0]

    def add_pod(self, name: str, state: Json) -> None:
        job = self.job()
        labels = {"batch.kubernetes.io/job-name": job["metadata"]["name"]}
        spec = job["spec"]["template"]["spec"]
        meta = {"name": name, "namespace": NAMESPACE, "labels": labels}
        self.server.store.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        self.set_state(name, state)

    def set_state(self, name: str, state: Json, phase: str = "Running") -> None:
        status = {"name": "train", "ready": True, "restartCount": 0, "state": state}

        def change(pod: Json) -> Json:
            pod["status"] = {"phase": phase, "containerStatuses": [status]}
            return pod

        self.server.store.change(POD, NAMESPACE, name, change, status=True)

    def end(self, name: str, code: int, reason: str = "Completed") -> None:
        terminated = {"terminated": {"exitCode": code, "reason": reason}}
        self.set_state(name, terminated, "Failed" if code else "Succeeded")

    def end_job(self, kind: str, reason: str = "") -> None:
        def change(job: Json) -> Json:
            job["status"] = {"conditions": [{"type": kind, "status": "True", "reason": reason}]}
            return job

        self.server.store.change(JOB, NAMESPACE, self.job()["metadata"]["name"], change, status=True)

    def log(self, pod: str, text: str) -> None:
        self.server.write_log(NAMESPACE, pod, text)


class Command:
    """`python -m k8s.job` and what it has written so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line

    def wait_for(self, text: str) -> None:
        until(lambda: text in self.said)

    def ended(self) -> int:
        code = self.process.wait(WITHIN_S)
        self._reader.join()
        return code


@contextmanager
def command(*arguments: str, **environment: str) -> Iterator[Command]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "k8s.job", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield Command(process)
        finally:
            process.kill()


@pytest.fixture
def cluster(api_server: ApiServer, kubeconfig: Path) -> Cluster:
    return Cluster(api_server)


def test_its_log_is_followed_to_the_end(cluster: Cluster) -> None:
    with command("train", *PLACED, "--", "--data", "s3://texts/all.csv") as training:
        cluster.add_pod("one", {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}})
        training.wait_for("one: ImagePullBackOff no such tag")
        cluster.log("one", "ingest: 900 rows\n")
        cluster.set_state("one", {"running": {}})
        training.wait_for("ingest: 900 rows")
        cluster.log("one", "registered version 4\n")
        training.wait_for("registered version 4")
        cluster.end("one", 0)
        cluster.end_job("Complete")
        assert training.ended() == 0
    assert training.said.count("ingest: 900 rows") == 1
    assert "python -m k8s.release" in training.said
    (container,) = cluster.job()["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--data", "s3://texts/all.csv"]


def test_what_ends_its_stream_ends_nothing_and_repeats_nothing(cluster: Cluster) -> None:
    with command("train", *PLACED) as training:
        cluster.log("one", "first\nsecond\n")
        cluster.add_pod("one", {"running": {}})
        training.wait_for("second")
        # A stream ends where its pod does; here it goes on, as after a time-out.
        for verb, resource, code, reason in (
            ("get", "jobs", 410, "Expired"),
            ("get", "jobs", 504, "Timeout"),
            ("list", "pods", 429, "TooManyRequests"),
            ("get", "pods/log", 500, "InternalError"),
        ):
            cluster.server.fail(verb, resource, code, reason)
        cluster.set_state("one", {"running": {}}, "Succeeded")
        cluster.log("one", "")
        until(lambda: not cluster.server._faults)
        cluster.set_state("one", {"running": {}})
        cluster.log("one", "third\n")
        training.wait_for("third")
        cluster.end("one", 0)
        cluster.end_job("Complete")
        assert training.ended() == 0
    assert [training.said.count(word) for word in ("first", "second", "third")] == [1, 1, 1]


def test_its_failure_is_that_of_its_last_run(cluster: Cluster) -> None:
    with command("train", *PLACED) as training:
        for pod, code, reason in (("one", 1, "Error"), ("two", 137, "OOMKilled")):
            cluster.log(pod, f"{pod} ran\n")
            cluster.add_pod(pod, {"running": {}})
            training.wait_for(f"{pod} ran")
            cluster.end(pod, code, reason)
        cluster.end_job("Failed", "BackoffLimitExceeded")
        assert training.ended() == 137
    assert "BackoffLimitExceeded" in training.said
    assert "--memory" in training.said


def test_a_job_that_somebody_deletes_is_followed_no_longer(cluster: Cluster) -> None:
    with command("train", *PLACED) as training:
        name = cluster.job()["metadata"]["name"]
        training.wait_for(name)
        cluster.server.store.remove(JOB, NAMESPACE, name)
        assert training.ended() == 3
    assert "was deleted" in training.said


def test_who_may_not_make_jobs_is_told(cluster: Cluster) -> None:
    cluster.server.rules = []
    with command("train", *PLACED) as training:
        assert training.ended() == 2
    assert "403 Forbidden" in training.said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--image is missing"),
        (["--image", "train:1"], "--tracking-uri"),
        (["--context", "elsewhere"], "kubectl config get-contexts"),
    ],
)
def test_what_is_missing_is_named_before_anything_begins(
    cluster: Cluster, arguments: list[str], told: str
) -> None:
    with command("train", *arguments) as training:
        assert training.ended() == 2
    assert told in training.said
    assert cluster.server.store.all(JOB) == []


def test_without_a_cluster_it_is_a_process_of_this_machine(tmp_path: Path) -> None:
    with command("train", "--", "--no-such-option", KUBECONFIG=str(tmp_path / "none")) as training:
        code = training.ended()
    assert "training in a process of this machine" in training.said
    assert "unrecognized arguments: --no-such-option" in training.said, "training's own words"
    assert code == 2


def test_it_is_restricted_and_valid() -> None:
    made = make_job("valence-train-1", wish(secrets=["s3"], service_account="trainer", pull_secret="login"))  # noqa: S106
    kubernetes_validate.validate(made, "1.35", strict=True)
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["envFrom"] == [{"secretRef": {"name": "s3"}}]
    assert pod["serviceAccountName"] == "trainer"
    assert pod["imagePullSecrets"] == [{"name": "login"}]


def test_amounts_retries_and_its_end_are_as_asked() -> None:
    spec = make_job("valence-train-1", wish(cpu="8", memory="32Gi", gpus=2, retries=3, ttl_s=60))["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    amounts = {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "2"}
    assert container["resources"] == {"requests": amounts, "limits": amounts}
    assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"]) == (3, 60)
    assert "nvidia.com/gpu" not in json.dumps(make_job("valence-train-2", wish()))


def test_its_arguments_reach_the_training_as_they_are(tmp_path: Path) -> None:
    """Run by a shell, in a copy of the image's folder."""
    (container,) = make_job("valence-train-1", wish(arguments=["--data", "a b; rm x", "$HOME"]))["spec"][
        "template"
    ]["spec"]["containers"]
    for folder in ("app", "work"):
        (tmp_path / folder).mkdir()
    (tmp_path / "app" / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "app" / "python").chmod(0o755)
    shell, flag, script, name = container["command"]
    inside = script.replace("/app", f"{tmp_path}/app").replace("/work", f"{tmp_path}/work")
    done = subprocess.run(
        [shell, flag, inside, name, *container["args"]],
        env={"PATH": f"{tmp_path}/work:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["-m", "training", "--data", "a b; rm x", "$HOME"]
