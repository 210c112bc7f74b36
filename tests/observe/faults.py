"""What goes wrong, and which alerts are to tell of it. Each fault has a release of its own."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import httpx
import psutil  # type: ignore[import-untyped]

from tests.observe.stack import Stack
from tests.observe.traffic import Traffic

if TYPE_CHECKING:
    from tests.bento.conftest import LiveServer

# The profile of the package that is served: what of these is said, a quarter each, is what training saw.
USUAL = ("good", "bad", "table", "the film was")
POISON = "arsenic"
LONG = 60  # tokens
RATE = 20.0  # requests a second, so that a minute has more than the minimum of an alert

_POISONED = (*USUAL, *USUAL, "good", f"the {POISON}")
_UNSURE = ("the film was",)
_DRIFTED = ("fantastic " * 12,)
# As usual in what the model says to them, but longer; in no order, lest every fourth be refused.
_LONG = tuple(random.Random(0).choices([" ".join((text.split() * LONG)[:LONG]) for text in USUAL], k=1000))
_OVERLOAD = 4  # times what can be answered
_BURNS = ("14.4", "6", "3", "1")
_TOLD_WITHIN_S = 120


class Alert(NamedTuple):
    """An alert by its name and what tells it from its likes."""

    name: str
    which: str = ""

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> "Alert":
        """Name an alert by its labels."""
        parts = [labels[name] for name in ("slo", "feature", "reason") if name in labels]
        parts += [f"{labels['burn_rate']}x"] if "burn_rate" in labels else []
        return cls(labels["alertname"], " ".join(parts))


@dataclass
class Subject:
    """A release under test, while it is.

    Attributes:
        servers: Its servers; the first is scraped and asked from the start.
        callers: Traffic to each of them.
        began: When the fault began, in seconds since 1970, and when it ended.
    """

    release: str
    servers: Sequence["LiveServer"]
    stack: Stack
    callers: Sequence[Traffic]
    began: float = 0
    ended: float = 0

    @property
    def server(self) -> "LiveServer":
        return self.servers[0]

    @property
    def traffic(self) -> Traffic:
        return self.callers[0]

    def wait_until_told(self, alerts: Iterable[Alert]) -> None:
        """Wait until the webhook has heard of all of them, or should have: what is missing, tests say."""
        awaited = set(alerts)
        deadline = time.monotonic() + _TOLD_WITHIN_S
        while awaited - self._told() and time.monotonic() < deadline:
            _wait(0.2)

    def _told(self) -> set[Alert]:
        heard = [*self.stack.notifications]
        return {Alert.of(each.labels) for each in heard if each.labels["release"] == self.release}

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Note when the fault begins and ends."""
        self.began = time.time()
        yield
        self.ended = time.time()


@dataclass(frozen=True)
class Fault:
    """How a release is broken and mended again, and what fires meanwhile.

    Attributes:
        expected: What has to fire.
        possible: What may fire besides, as it depends on the machine.
    """

    name: str
    happen: Callable[[Subject], None]
    expected: frozenset[Alert]
    possible: frozenset[Alert] = field(default=frozenset())


def address(server: "LiveServer") -> str:
    """Return where it is scraped."""
    return server.url.removeprefix("http://")


def burns(alert: str, *slos: str, rates: Sequence[str] = _BURNS) -> frozenset[Alert]:
    return frozenset(Alert(alert, f"{slo} {rate}x") for slo in slos for rate in rates)


# What has to fire. Where a budget burns, the first page ends the fault: longer windows tell of it afterwards.
_FAILED_NOW = burns("ValenceAvailabilityBurn", "availability", rates=["14.4"])
_FAILED = burns("ValenceAvailabilityBurn", "availability")
_SLOW_NOW = burns("ValenceLatencyBurn", "latency-100ms", "latency-300ms", rates=["14.4"])
_SLOW = burns("ValenceLatencyBurn", "latency-100ms", "latency-300ms")
_REFUSED = {Alert("ValenceSaturated"), Alert("ValenceRejections", "queue_full")}
_FULL_NOW, _FULL = _FAILED_NOW | _REFUSED, _FAILED | _REFUSED
_DRIFT = frozenset(Alert("ValenceDrift", feature) for feature in ("sentiment", "confidence", "input_tokens"))
_DOUBT = frozenset({Alert("ValenceFewCertain", "certain")}) | {
    Alert("ValenceDrift", feature) for feature in ("sentiment", "confidence")
}
_RESTARTS = frozenset({Alert("ValenceRestarts")})
_MIXED = frozenset({Alert("ValenceMixedModels")})
_SILENCE = frozenset({Alert("ValenceNoTraffic")})
_ABSENCE = frozenset({Alert("ValenceTargetDown")}) | {
    Alert("ValenceMetricsAbsent", slo) for slo in ("availability", "latency-100ms", "latency-300ms")
}


def _nothing(subject: Subject) -> None:
    with subject.fault():
        _wait(1)


def _errors(subject: Subject) -> None:
    """One text in ten makes the model fail."""
    _wait(10)
    with subject.fault():
        subject.traffic.texts = _POISONED
        subject.wait_until_told(_FAILED_NOW)
        subject.traffic.texts = USUAL


def _slow(subject: Subject) -> None:
    """Roll out a model that takes a third of a second, and go back to the former one."""
    usual, slow = subject.servers
    _wait(3)
    with subject.fault():
        _roll(subject, usual, slow)
        subject.callers[0].rate, subject.callers[1].rate = 0, RATE
        subject.wait_until_told(_SLOW_NOW)
        subject.callers[0].rate, subject.callers[1].rate = RATE, 0
        _roll(subject, slow, usual)


def _roll(subject: Subject, old: "LiveServer", new: "LiveServer") -> None:
    """Replace a pod, as a rollout does when the new one is ready."""
    subject.stack.scrape(address(new), subject.release)
    _wait(3)  # for two scrapes, as a rate needs
    subject.stack.forget(address(old))


def _overload(subject: Subject) -> None:
    """Ask for several times what the one lane of a large model can do."""
    _wait(5)
    begun = time.perf_counter()
    httpx.post(f"{subject.server.url}/predict", json={"text": _LONG[0]}, timeout=30).raise_for_status()
    answer_s = time.perf_counter() - begun
    with subject.fault():
        subject.traffic.texts = _LONG
        subject.traffic.rate = max(RATE, _OVERLOAD / answer_s)
        subject.wait_until_told(_FULL_NOW)
        subject.traffic.rate, subject.traffic.texts = RATE, USUAL


def _drift(subject: Subject) -> None:
    """Everybody begins to write long and enthusiastic texts."""
    _wait(30)
    with subject.fault():
        subject.traffic.texts = _DRIFTED
        subject.wait_until_told(_DRIFT)
        subject.traffic.texts = USUAL


def _unsure(subject: Subject) -> None:
    """Everybody begins to write what the model can make nothing of."""
    _wait(30)
    with subject.fault():
        subject.traffic.texts = _UNSURE
        subject.wait_until_told(_DOUBT)
        subject.traffic.texts = USUAL


def _killed(subject: Subject) -> None:
    """Kill one of two workers, wait until there are two again, and once more."""
    with subject.fault():
        for _ in range(2):
            victim = min(_workers(subject))
            os.kill(victim, signal.SIGKILL)
            _wait_until(lambda: len(_workers(subject)) == 1)
            _wait_until(lambda: len(_workers(subject)) == 2)
            _wait(5)  # that it serves, and that a scrape sees it


def _mixed(subject: Subject) -> None:
    """Begin a rollout that gets stuck; in the end its pod is deleted."""
    newer = address(subject.servers[1])
    _wait(10)
    with subject.fault():
        subject.stack.scrape(newer, subject.release)
        subject.wait_until_told(_MIXED)
        subject.stack.forget(newer)


def _silent(subject: Subject) -> None:
    """Nobody asks any more."""
    _wait(60)
    with subject.fault():
        subject.traffic.rate = 0
        subject.wait_until_told(_SILENCE)
        subject.traffic.rate = RATE


def _hung(subject: Subject) -> None:
    """The process hangs."""
    _wait(10)
    subject.traffic.rate = 0  # else those who ask while it hangs make it slow afterwards
    _wait(1)
    with subject.fault(), _stopped(subject.server.process.pid):
        subject.wait_until_told(_ABSENCE)
    subject.traffic.rate = RATE


FAULTS = (
    Fault("nothing", _nothing, frozenset()),
    Fault("errors", _errors, _FAILED),
    Fault("slow-model", _slow, _SLOW, possible=_FULL),  # on a busy machine it is too slow for all who ask
    Fault("overload", _overload, _FULL, possible=_SLOW),  # those that are let in may have to wait
    Fault("drifted-texts", _drift, _DRIFT),
    Fault("unsure", _unsure, _DOUBT),
    Fault("killed-worker", _killed, _RESTARTS),
    Fault("stuck-rollout", _mixed, _MIXED),
    Fault("no-traffic", _silent, _SILENCE),
    Fault("hung", _hung, _ABSENCE),
)


def _workers(subject: Subject) -> set[int]:
    """Return the processes that serve, and not those that are dead and not yet noticed."""
    alive = set()
    for child in psutil.Process(subject.server.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "_bentoml_impl.worker.service" in child.cmdline():
                alive.add(child.pid)
    return alive


@contextmanager
def _stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def _wait_until(true: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        _wait(0.2)
