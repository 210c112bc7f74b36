"""Two workers of a real `bentoml serve` under load: the model is changed, and one of them is killed."""

import http.client
import json
import os
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

if TYPE_CHECKING:
    from tests.bento.conftest import LiveServer, Registry, Serve

TOKEN = "a-token-for-tests"  # noqa: S105
WITHIN_S = 60
CALLERS = 6
CONNECTION_LOST = (ConnectionError, http.client.RemoteDisconnected, http.client.IncompleteRead)


@dataclass
class Caller:
    """Predicts without end over one connection; a new one after every `keep` answers or a loss."""

    address: str
    keep: int
    answers: list[tuple[float, float, str]] = field(default_factory=list)  # begun, ended, version
    wrong: list[str] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)
    connection: http.client.HTTPConnection | None = None

    def connect(self) -> http.client.HTTPConnection:
        self.connection = http.client.HTTPConnection(self.address, timeout=WITHIN_S)
        self.connection.connect()
        return self.connection

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            connection = self.connection or self.connect()
            for _ in range(self.keep):
                begun = time.monotonic()
                try:
                    status, said = predict(connection)
                except CONNECTION_LOST:
                    self.lost.append(begun)
                    break
                if status == 200 and said["sentiment"] == "positive":
                    self.answers.append((begun, time.monotonic(), said["model"]["version"]))
                else:
                    self.wrong.append(f"{status}: {said}")
                if stop.is_set():
                    break
            connection.close()
            self.connection = None


def predict(connection: http.client.HTTPConnection) -> tuple[int, dict[str, Any]]:
    connection.request("POST", "/predict", b'{"text": "good"}', {"content-type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@contextmanager
def load(callers: list[Caller]) -> Iterator[None]:
    """Have the callers call; the body begins when each has been answered."""
    stop = threading.Event()
    threads = [threading.Thread(target=caller.run, args=(stop,)) for caller in callers]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all(caller.answers for caller in callers))
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(WITHIN_S)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def events(log: Path, name: str) -> list[dict[str, Any]]:
    whole = log.read_text().rpartition("\n")[0]  # the last line may be in the middle of being written
    lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]


def workers(live: "LiveServer") -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(live.process.pid).children(recursive=True)
        if "_bentoml_impl.worker.service" in child.cmdline()
    ]


def worker_of(live: "LiveServer", connection: http.client.HTTPConnection) -> int:
    """Which process answers on a connection; it has answered before."""
    assert predict(connection)[0] == 200
    port = connection.sock.getsockname()[1]
    process: int
    (process,) = (
        worker.pid
        for worker in workers(live)
        if any(one.raddr and one.raddr.port == port for one in worker.net_connections("tcp"))
    )
    return process


@pytest.fixture(scope="module")
def server(registry: "Registry", serve: "Serve") -> Iterator["LiveServer"]:
    """Two workers; its run directory lies where the address of a socket is short."""
    settings = {"VALENCE_WORKERS": "2", "VALENCE_ADMIN_TOKEN": TOKEN, "VALENCE_REGISTRY": registry.uri}
    with serve(registry.packages["1"].path, **settings, VALENCE_MODEL_VERSION="1", TMPDIR="/tmp") as live:  # noqa: S108
        wait_until(lambda: len(events(live.log, "ready")) == 2)
        yield live


@pytest.fixture
def live(server: "LiveServer") -> "LiveServer":
    """The server, with version 1."""
    assert reload(server, "1").status_code == 200
    return server


def address(live: "LiveServer") -> str:
    return live.url.removeprefix("http://")


def reload(live: "LiveServer", version: str) -> httpx.Response:
    return httpx.post(
        f"{live.url}/reload",
        json={"version": version},
        headers={"authorization": f"Bearer {TOKEN}"},
        timeout=WITHIN_S,
    )


def test_the_model_is_changed_back_and_forth_and_no_request_is_lost(
    live: "LiveServer", record_property: Callable[[str, object], None]
) -> None:
    callers = [Caller(address(live), keep=20) for _ in range(CALLERS)]
    changes = []
    with load(callers):
        for version in ("2", "1") * 3:
            begun = time.monotonic()
            answer = reload(live, version)
            changes.append((begun, time.monotonic(), version))
            assert answer.status_code == 200, answer.text
            assert answer.json()["workers"] == 2
            assert answer.json()["model"]["version"] == version
            counts = [len(caller.answers) for caller in callers]
            wait_until(lambda: all(len(c.answers) > n + 2 for c, n in zip(callers, counts, strict=True)))  # noqa: B023
    assert [caller.wrong + caller.lost for caller in callers] == [[]] * CALLERS
    answers = [answer for caller in callers for answer in caller.answers]
    ends = [begun for begun, _, _ in changes[1:]] + [float("inf")]
    for (_, since, version), until in zip(changes, ends, strict=True):
        between = {served for begun, ended, served in answers if begun > since and ended < until}
        assert between == {version}
    assert len(events(live.log, "switched")) >= 2 * len(changes)
    took = [round(ended - begun, 3) for begun, ended, _ in changes]
    record_property("reload_s", took)
    print(f"changing the model took {took} s; {len(answers)} requests were answered meanwhile")


def test_a_package_that_fails_its_canaries_is_refused_by_all_and_the_old_one_serves_on(
    live: "LiveServer",
) -> None:
    callers = [Caller(address(live), keep=5) for _ in range(CALLERS)]
    switched = len(events(live.log, "switched"))
    with load(callers):
        answer = reload(live, "3")
    assert answer.status_code == 409
    assert "canary text" in answer.json()["detail"]
    assert [caller.wrong + caller.lost for caller in callers] == [[]] * CALLERS
    assert {served for caller in callers for _, _, served in caller.answers} == {"1"}
    assert len(events(live.log, "switched")) == switched


def test_a_killed_worker_takes_only_what_it_had_and_returns_with_the_committed_model(
    live: "LiveServer", record_property: Callable[[str, object], None]
) -> None:
    assert reload(live, "2").status_code == 200
    callers: dict[int, list[Caller]] = {worker.pid: [] for worker in workers(live)}
    assert len(callers) == 2
    while any(len(of) < CALLERS // 2 for of in callers.values()):  # the kernel decides who accepts
        caller = Caller(address(live), keep=1_000_000)
        pid = worker_of(live, caller.connect())
        callers[pid].append(caller)
    (victim, victims), (_, others) = callers.items()
    with load([*victims, *others]):
        ready = len(events(live.log, "ready"))
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(events(live.log, "ready")) > ready)
        recovered = time.monotonic()
        wait_until(lambda: reload(live, "2").status_code == 200)
        (newcomer,) = {worker.pid for worker in workers(live)} - callers.keys()
        while worker_of(live, connection := Caller(address(live), keep=1).connect()) != newcomer:
            connection.close()
        assert predict(connection)[1]["model"]["version"] == "2"
        connection.close()
        assert reload(live, "1").json()["workers"] == 2
    assert [caller.wrong for caller in (*victims, *others)] == [[]] * len((*victims, *others))
    assert [len(caller.lost) for caller in victims] == [1] * len(victims), "each had one in flight"
    assert [caller.lost for caller in others] == [[]] * len(others)
    assert {served for caller in others for _, ended, served in caller.answers if ended < recovered} == {"2"}
    took = round(recovered - killed, 3)
    record_property("recovery_s", took)
    print(f"a killed worker was back after {took} s; {len(victims)} requests were lost with it")


def test_a_worker_that_ends_itself_returns_with_the_committed_model(live: "LiveServer") -> None:
    """As it does where it cannot follow a change: nothing but SIGTERM, sent to it alone."""
    assert reload(live, "2").status_code == 200
    ready = len(events(live.log, "ready"))
    os.kill(workers(live)[0].pid, signal.SIGTERM)
    wait_until(lambda: len(events(live.log, "ready")) > ready)
    assert events(live.log, "ready")[-1]["model"]["version"] == "2"
    wait_until(lambda: reload(live, "1").status_code == 200)
    assert reload(live, "2").json()["workers"] == 2


def test_the_token_is_in_no_log_and_the_run_directory_goes_with_the_server(
    registry: "Registry", serve: "Serve"
) -> None:
    settings = {"VALENCE_ADMIN_TOKEN": TOKEN, "VALENCE_REGISTRY": registry.uri, "VALENCE_LOG_LEVEL": "debug"}
    with tempfile.TemporaryDirectory(prefix="valence-", dir="/tmp") as folder:
        with serve(registry.packages["1"].path, **settings, TMPDIR=folder) as live:
            (run,) = Path(folder).glob("valence-*")
            assert stat.S_IMODE(run.stat().st_mode) == 0o700
            assert reload(live, "2").status_code == 200
            assert reload(live, "99").status_code == 404
        assert list(Path(folder).glob("valence-*")) == []
    assert TOKEN not in live.log.read_text()
