"""The container as a cluster runs it: read-only, without capabilities, in little memory, ended by SIGTERM."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.image.conftest import Image, podman

READY_CPU_S = 3.0  # as much as the bar of three seconds allows one CPU; wall time depends on the machine
PATIENCE_S = 60
DRAIN_MS = 1_000
RESTRICTED = ["--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges"]


@contextmanager
def container(image: Image, *arguments: str) -> Iterator[tuple[str, str]]:
    """Yield the id and the address of a restricted container that is ready."""
    publish = "--publish=127.0.0.1::3000"
    name = podman("run", "--detach", *RESTRICTED, "--memory=512m", publish, *arguments, image.name).strip()
    try:
        url = f"http://{podman('port', name, '3000').strip()}"
        wait_until_ready(name, url)
        yield name, url
    finally:
        subprocess.run(["podman", "rm", "--force", "--time", "1", name], capture_output=True)


def wait_until_ready(name: str, url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert podman("inspect", "--format", "{{.State.Running}}", name).strip() == "true", log(name)
        time.sleep(0.02)
    raise AssertionError(log(name))


def log(name: str) -> str:
    done = subprocess.run(["podman", "logs", name], capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def running(image: Image) -> Iterator[tuple[str, str]]:
    with container(image, f"--env=VALENCE_MODEL_DIGEST={image.digest}") as found:
        yield found


def test_it_predicts(image: Image, running: tuple[str, str]) -> None:
    answer = httpx.post(f"{running[1]}/predict", json={"text": "the film was fantastic"}, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["sentiment"] == "positive"
    assert answer.json()["model"]["digest"] == image.digest


def test_it_is_ready_for_little(image: Image) -> None:
    with container(image) as (name, _):
        fields = podman("exec", name, "cat", "/proc/1/stat").rpartition(")")[2].split()
        hertz = int(podman("exec", name, "getconf", "CLK_TCK"))
    user, system = int(fields[11]), int(fields[12])
    assert (user + system) / hertz < READY_CPU_S


def test_it_is_one_process(running: tuple[str, str]) -> None:
    processes = podman("top", running[0], "args").splitlines()[1:]
    assert len(processes) == 1
    assert "bento.serve" in processes[0]


def test_its_root_cannot_be_written(running: tuple[str, str]) -> None:
    done = subprocess.run(["podman", "exec", running[0], "touch", "/app/new"], capture_output=True, text=True)
    assert "Read-only file system" in done.stderr


def test_sigterm_drains_and_requests_in_flight_are_answered(image: Image) -> None:
    codes: list[int] = []
    leave = threading.Event()

    def ask(url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not leave.is_set():
                try:
                    answer = client.post("/predict/batch", json={"texts": ["the film was good"] * 64})
                except httpx.ConnectError:
                    return  # it has left, and a load balancer would not send us there
                codes.append(answer.status_code)

    with container(image, f"--env=VALENCE_DRAIN_SERVE_MS={DRAIN_MS}") as (name, url):
        callers = [threading.Thread(target=ask, args=(url,)) for _ in range(4)]
        for caller in callers:
            caller.start()
        while len(codes) < 8:
            time.sleep(0.01)
        podman("kill", "--signal=TERM", name)
        started = time.monotonic()
        code = podman("wait", name).strip()
        took = time.monotonic() - started
        leave.set()
        for caller in callers:
            caller.join(PATIENCE_S)
        assert code == "0", log(name)
    assert set(codes) <= {200, 429, 503}, codes
    assert 200 in codes
    assert took < DRAIN_MS / 1e3 + 30


def test_another_digest_than_the_images_is_refused(image: Image) -> None:
    wrong = "sha256:" + "0" * 64
    arguments = ["--detach", f"--env=VALENCE_MODEL_DIGEST={wrong}", "--publish=127.0.0.1::3000"]
    name = podman("run", *RESTRICTED, *arguments, image.name).strip()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while image.digest not in log(name) and wrong not in log(name):
            assert time.monotonic() < deadline, log(name)
            time.sleep(0.05)
        running = json.loads(podman("inspect", name))[0]["State"]["Running"]
        if running:
            url = f"http://{podman('port', name, '3000').strip()}"
            assert httpx.get(f"{url}/readyz", timeout=5).status_code == 503
    finally:
        subprocess.run(["podman", "rm", "--force", "--time", "1", name], capture_output=True)
