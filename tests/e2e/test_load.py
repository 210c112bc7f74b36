"""The load against real servers behind the balancer: who loses requests, and what is told of it."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.e2e.balancer import Address, Balancer
from tests.e2e.connection import Way
from tests.e2e.load import Load, LoadError, Window

if TYPE_CHECKING:
    from tests.bento.conftest import LiveServer, Serve

WITHIN_S = 60
DELAY_S = 0.5
LONG_MS = "60000"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def address(live: "LiveServer", pod: str) -> Address:
    parts = urlsplit(live.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Address(parts.hostname, parts.port, pod)


class Pods:
    """Servers of which those that are ready are known to a balancer."""

    def __init__(self, servers: list["LiveServer"]) -> None:
        self.servers = servers
        self.addresses = [address(live, f"pod-{number}") for number, live in enumerate(servers)]
        self.balancer = Balancer(DELAY_S)
        self.balancer.update(set(self.addresses), time.monotonic())

    def end(self, number: int) -> None:
        """As the deletion of a pod does: SIGTERM, and the endpoints know at once."""
        self.servers[number].process.send_signal(signal.SIGTERM)
        rest = set(self.addresses) - {self.addresses[number]}
        self.balancer.update(rest, time.monotonic())

    def pick(self) -> Address | None:
        return self.balancer.pick(time.monotonic())


@contextmanager
def pods(serve: "Serve", package: Path, count: int, drain_ms: str) -> Iterator[Pods]:
    with ExitStack() as stack:
        live = [
            stack.enter_context(serve(package, VALENCE_DRAIN_SERVE_MS=drain_ms, VALENCE_MODEL_VERSION="7"))
            for _ in range(count)
        ]
        yield Pods(live)
        for each in live:
            each.process.kill()  # what they do when told to end is not what is tested any more


def answered_by(window: Window, number: int) -> int:
    return sum(
        answer.address is not None and answer.address.pod == f"pod-{number}" for answer in window.answers
    )


def test_a_server_that_drains_loses_nothing(serve_alone: "Serve", package_dir: Path) -> None:
    """It gets new connections until the balancer has heard, and closes the kept ones when they are used."""
    with pods(serve_alone, package_dir, 3, LONG_MS) as three, Load(three.pick) as load:
        begin = time.monotonic()
        until(lambda: all(answered_by(load.window(begin), number) for number in range(3)))
        three.end(1)
        until(lambda: three.addresses[1] not in {three.pick() for _ in range(3)})

        def is_left_alone() -> bool:
            now = time.monotonic()
            latest = load.window(now - 2, now)
            return len(latest.answers) > 20 and answered_by(latest, 1) == 0

        until(is_left_alone)
        three.servers[1].process.send_signal(signal.SIGTERM)
        assert three.servers[1].process.wait(WITHIN_S) == 0
        window = load.window(begin)
    assert window.failures == []
    assert set(window.versions) == {"7"}
    assert all(answered_by(window, number) > 0 for number in range(3))


def test_a_server_that_just_goes_loses_requests_and_they_are_told_by_name(
    serve_alone: "Serve", package_dir: Path
) -> None:
    with pods(serve_alone, package_dir, 2, "0") as two, Load(two.pick) as load:
        begin = time.monotonic()
        until(lambda: all(answered_by(load.window(begin), number) for number in range(2)))
        two.servers[0].process.kill()
        until(lambda: bool(load.window(begin).failures))
        lost = load.window(begin).failures
    assert {answer.address for answer in lost} == {two.addresses[0]}
    assert {answer.status for answer in lost} == {0}
    assert all(answer.failure for answer in lost)


def test_an_answer_that_is_an_error_counts_as_lost(serve_alone: "Serve", package_dir: Path) -> None:
    """Here of a server without an admission: at this address nobody predicts."""
    with pods(serve_alone, package_dir, 1, "0") as one:
        way = Way(prefix="/elsewhere")
        with Load(one.pick, way) as load:
            begin = time.monotonic()
            until(lambda: len(load.window(begin).answers) > 3)
            window = load.window(begin)
    assert {answer.status for answer in window.failures} == {404}
    assert len(window.failures) == len(window.answers)


def test_with_nobody_ready_every_request_is_lost() -> None:
    with Load(lambda: None) as load:
        begin = time.monotonic()
        until(lambda: bool(load.window(begin).answers))
        assert "nobody is ready" in load.window(begin).failures[0].failure


def test_a_load_that_has_ended_proves_nothing() -> None:
    with Load(lambda: None) as load:
        pass
    with pytest.raises(LoadError, match="has ended"):
        load.window(0)


def test_a_window_is_what_was_due_in_it() -> None:
    with Load(lambda: None, rate=200) as load:
        begin = time.monotonic()
        until(lambda: len(load.window(begin).answers) > 50)
        middle = time.monotonic() - 0.1
        first, second = load.window(begin, middle), load.window(middle)
    assert all(answer.due < middle for answer in first.answers)
    assert all(answer.due >= middle for answer in second.answers)
    assert first.answers
    assert second.answers
