"""All faults at the same time, each on a server of its own, and what was seen of them.

What an objective's slowest window of six hours needs, six minutes at this pace, is so waited for once.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.observe.faults import FAULTS, LONG, POISON, RATE, USUAL, Alert, Fault, Subject, address
from tests.observe.packages import profiled, slowed
from tests.observe.stack import Notification, Stack, run_stack
from tests.observe.traffic import run_callers

if TYPE_CHECKING:
    from tests.bento.conftest import LiveServer, MakePackage, Serve

_RESOLVED_WITHIN_S = 480
_TOLD_WITHIN_S = 30
_LAYERS = 8  # of the model that long texts overload
_SLOW_S = 0.3  # that a batch of the slow model takes
_PATIENT = {"VALENCE_LANES": "1", "VALENCE_MAX_QUEUE_MS": "60000"}  # so that it is slow and not full


@dataclass
class Proof:
    """What was seen.

    Attributes:
        started: When traffic began, in seconds since 1970; the next is when everything was over.
        fired: When each alert of a release began and ended to fire, in seconds since 1970.
        unresolved: What still fired, or was about to, at the end; by release.
    """

    stack: Stack
    subjects: dict[str, Subject]
    started: float
    ended: float
    fired: dict[str, dict[Alert, tuple[float, float]]]
    unresolved: dict[str, set[Alert]]

    def told(self, release: str) -> dict[Alert, list[Notification]]:
        """Return what the webhook heard of a release, in order."""
        found: dict[Alert, list[Notification]] = defaultdict(list)
        for each in self.stack.notifications:
            if each.labels["release"] == release:
                found[Alert.of(each.labels)].append(each)
        return found

    def table(self) -> str:
        """Return which alert told of which fault, how soon, and how soon it was over."""
        rows = [
            "| fault | alert | fires after | is told after | ends after mending |",
            "|---|---|---|---|---|",
        ]
        for release, subject in self.subjects.items():
            told = self.told(release)
            for alert, (first, last) in sorted(self.fired[release].items(), key=lambda found: found[1]):
                heard = f"{told[alert][0].at - subject.began:.0f} s" if told[alert] else "never"
                begun, over = first - subject.began, last - subject.ended
                name = f"{alert.name} {alert.which}".rstrip()
                rows.append(f"| {release} | {name} | {begun:.0f} s | {heard} | {over:.0f} s |")
        took = f"All in {self.ended - self.started:.0f} s. A second here is a minute as shipped."
        return "\n".join([*rows, "", took])


@contextmanager
def prove(folder: Path, make_package: "MakePackage", serve: "Serve", serve_alone: "Serve") -> Iterator[Proof]:
    """Break and mend everything; servers and Prometheus live as long as the context."""
    usual = profiled(make_package(folder / "usual", poison=[POISON])).path
    newer = profiled(make_package(folder / "newer", extra_words=["newer"])).path
    large = profiled(make_package(folder / "large", layers=_LAYERS), short_tokens=LONG).path
    slow = slowed(profiled(make_package(folder / "slow")), batch_s=_SLOW_S).path
    with ExitStack() as running:
        stack = running.enter_context(run_stack(folder / "stack"))
        callers = running.enter_context(run_callers())

        def begin(fault: Fault) -> Subject:
            servers: list[LiveServer]
            match fault.name:
                case "overload":
                    servers = [running.enter_context(serve_alone(large, VALENCE_LANES="1"))]
                case "slow-model":
                    servers = [
                        running.enter_context(serve_alone(package, **_PATIENT)) for package in (usual, slow)
                    ]
                case "killed-worker":
                    servers = [running.enter_context(serve(usual, VALENCE_WORKERS="2", VALENCE_LANES="1"))]
                case "stuck-rollout":
                    servers = [running.enter_context(serve_alone(package)) for package in (usual, newer)]
                case _:
                    servers = [running.enter_context(serve_alone(usual))]
            return Subject(
                fault.name, servers, stack, [callers.call(server.url, USUAL, 0) for server in servers]
            )

        with ThreadPoolExecutor(4) as starters:
            subjects = {subject.release: subject for subject in starters.map(begin, FAULTS)}
        started = time.time()
        for subject in subjects.values():
            stack.scrape(address(subject.server), subject.release)
            subject.traffic.rate = RATE
        with ThreadPoolExecutor(len(FAULTS)) as breakers:
            for done in [breakers.submit(fault.happen, subjects[fault.name]) for fault in FAULTS]:
                done.result()
        unresolved = _wait_until_resolved(stack)
        _wait_until_told(stack)
        yield Proof(stack, subjects, started, time.time(), _times(stack, started), unresolved)


def _wait_until_resolved(stack: Stack) -> dict[str, set[Alert]]:
    """Wait until nothing fires, and nothing will."""
    deadline = time.monotonic() + _RESOLVED_WITHIN_S
    while (alerts := stack.query("ALERTS")) and time.monotonic() < deadline:
        threading.Event().wait(1)
    found: dict[str, set[Alert]] = defaultdict(set)
    for series in alerts:
        found[series["metric"]["release"]].add(Alert.of(series["metric"]))
    return found


def _wait_until_told(stack: Stack) -> None:
    """Wait until the webhook has heard of the end of all that it heard the beginning of."""
    deadline = time.monotonic() + _TOLD_WITHIN_S
    while time.monotonic() < deadline:
        newest = {tuple(sorted(each.labels.items())): each.status for each in [*stack.notifications]}
        if set(newest.values()) <= {"resolved"}:
            return
        threading.Event().wait(0.2)


def _times(stack: Stack, started: float) -> dict[str, dict[Alert, tuple[float, float]]]:
    found: dict[str, dict[Alert, tuple[float, float]]] = defaultdict(dict)
    for series in stack.query_range('ALERTS{alertstate="firing"}', started, time.time(), 1):
        alert = Alert.of(series["metric"])
        first, last = (float(series["values"][place][0]) for place in (0, -1))
        known = found[series["metric"]["release"]]
        begun, ended = known.get(alert, (first, last))
        known[alert] = min(begun, first), max(ended, last)
    return found
