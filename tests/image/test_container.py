"""The container as a cluster runs it: read-only, without capabilities, in little memory, ended by SIGTERM."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from tests.bento.conftest import MakePackage
from tests.image.conftest import Image
from tests.image.containers import PATIENCE_S, RESTRICTED, log, podman, serving, try_podman

READY_CPU_S = 3.0  # as much as the bar of three seconds allows one CPU; wall time depends on the machine
DRAIN_MS = 1_000
LONGEST_REQUEST_S = 30


def restricted(image: Image, *arguments: str) -> AbstractContextManager[tuple[str, str]]:
    return serving(*RESTRICTED, "--memory=512m", *arguments, image.name)


@pytest.fixture(scope="module")
def running(image: Image) -> Iterator[tuple[str, str]]:
    with restricted(image) as found:
        yield found


def test_it_predicts(image: Image, running: tuple[str, str]) -> None:
    answer = httpx.post(f"{running[1]}/predict", json={"text": "the film was fantastic"}, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["sentiment"] == "positive"
    assert answer.json()["model"] == image.values["model"]


def test_it_is_ready_for_little(image: Image) -> None:
    with restricted(image) as (name, _):
        fields = podman("exec", name, "cat", "/proc/1/stat").rpartition(")")[2].split()
        hertz = int(podman("exec", name, "getconf", "CLK_TCK"))
    user, system = int(fields[11]), int(fields[12])
    assert (user + system) / hertz < READY_CPU_S


def test_it_is_one_process(running: tuple[str, str]) -> None:
    processes = podman("top", running[0], "args").splitlines()[1:]
    assert len(processes) == 1
    assert "bento.serve" in processes[0]


def test_its_root_cannot_be_written(running: tuple[str, str]) -> None:
    done = try_podman("exec", running[0], "touch", "/app/new")
    assert "Read-only file system" in done.stderr


def test_what_it_writes_is_a_line_of_json_each(running: tuple[str, str]) -> None:
    """No library says anything beside the server."""
    lines = log(running[0]).splitlines()
    assert {"ready"} <= {json.loads(line)["event"] for line in lines}


def test_sigterm_drains_and_requests_in_flight_are_answered(image: Image) -> None:
    with restricted(image, f"--env=VALENCE_DRAIN_SERVE_MS={DRAIN_MS}") as (name, url):
        callers = [Caller(url) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            assert caller.answered.wait(PATIENCE_S)
        slow = SlowRequest(url)
        podman("kill", "--signal=TERM", name)
        started = time.monotonic()
        for caller in callers:
            caller.join(PATIENCE_S)
            assert not caller.is_alive()
        wait_until_refused(url)
        assert slow.finish() == 200, "it had begun before the end"
        assert podman("wait", name).strip() == "0", log(name)
        took = time.monotonic() - started
    assert [failure for caller in callers for failure in caller.failures] == []
    assert took < DRAIN_MS / 1e3 + LONGEST_REQUEST_S


class Caller(threading.Thread):
    """Asks again and again, until an answer tells it to go elsewhere."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.answered = threading.Event()
        self.failures: list[str] = []
        self._url = url

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=PATIENCE_S) as client:
            while True:
                try:
                    answer = client.post("/predict/batch", json={"texts": ["the film was good"] * 64})
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                    return
                if answer.status_code != 200:
                    self.failures.append(answer.text)
                self.answered.set()
                if answer.headers.get("connection") == "close":
                    return


class SlowRequest:
    """A request of which half has arrived."""

    def __init__(self, url: str) -> None:
        self._body = json.dumps({"text": "the film was good"}).encode()
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
        self._connection.putrequest("POST", "/predict")
        self._connection.putheader("content-type", "application/json")
        self._connection.putheader("content-length", str(len(self._body)))
        self._connection.endheaders(self._body[:5])

    def finish(self) -> int:
        """Send the rest; the status."""
        self._connection.send(self._body[5:])
        return self._connection.getresponse().status


def wait_until_refused(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/livez", timeout=1)
        except httpx.TransportError:
            return
        time.sleep(0.02)
    raise AssertionError(f"{url} still answers")


def test_another_digest_than_the_images_ends_it(image: Image) -> None:
    wrong = "sha256:" + "0" * 64
    done = try_podman("run", "--rm", *RESTRICTED, f"--env=VALENCE_MODEL_DIGEST={wrong}", image.name)
    assert done.returncode == 1
    assert f"the digest is {image.digest}, not the required {wrong}" in done.stdout + done.stderr


def test_another_model_than_the_images_ends_it_too(
    image: Image, make_package: MakePackage, tmp_path: Path
) -> None:
    other = make_package(tmp_path / "other")
    mounted = [f"--volume={other.path}:/other:ro", "--env=VALENCE_MODEL=/other"]
    done = try_podman("run", "--rm", *RESTRICTED, *mounted, image.name)
    assert done.returncode == 1
    assert f"the digest is {other.digest}, not the required {image.digest}" in done.stdout + done.stderr
