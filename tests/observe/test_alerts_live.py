"""Faults in the real service make the expected set of alerts fire, and mending it ends them all.

Every fault has a server of its own, all at the same time: what an objective's slowest window of six hours
needs, six minutes at this pace, is waited for once.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bento.package import Histogram, Package, Profile, write_package
from tests.observe.faults import FAULTS, POISON, RATE, USUAL, Alert, Fault, Subject
from tests.observe.stack import Stack, missing, run_stack
from tests.observe.traffic import Callers, run_callers

if TYPE_CHECKING:
    from tests.bento.conftest import LiveServer, MakePackage, Serve

RESOLVED_WITHIN_S = 480
LAYERS = 40  # of the model that is easily overloaded


@dataclass
class Proof:
    """What was seen.

    Attributes:
        fired: When each alert of a release was first told of, and first fired, in seconds since 1970.
        unresolved: What still fired at the end.
    """

    stack: Stack
    subjects: dict[str, Subject]
    started: float
    fired: dict[str, dict[Alert, float]]
    unresolved: dict[str, set[Alert]]


def which(labels: dict[str, str]) -> Alert:
    parts = [labels["slo"]] if "slo" in labels else []
    parts += [f"{labels['burn_rate']}x"] if "burn_rate" in labels else []
    parts += [labels[name] for name in ("feature", "reason") if name in labels]
    return Alert(labels["alertname"], " ".join(parts))


def profiled(package: Package) -> Package:
    """Have the package say that it was trained on what is usually asked."""
    quarter = 0.25
    profile = Profile(
        sentiment={"negative": 2 * quarter, "neutral": quarter, "positive": quarter},
        confidence=Histogram(bounds=(0.5, 0.8), shares=(quarter, 0.0, 3 * quarter)),
        input_tokens=Histogram(bounds=(8.0, 64.0), shares=(1.0, 0.0, 0.0)),
    )
    manifest = package.manifest.model_copy(update={"profile": profile})
    return write_package(package.path, manifest, tokenizer=package.tokenizer, graph=package.graph)


@pytest.fixture(scope="module")
def proof(
    tmp_path_factory: pytest.TempPathFactory,
    make_package: "MakePackage",
    serve: "Serve",
    serve_alone: "Serve",
) -> Iterator[Proof]:
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("observe")
    usual = profiled(make_package(folder / "usual", poison=[POISON])).path
    newer = profiled(make_package(folder / "newer", extra_words=["newer"])).path
    large = profiled(make_package(folder / "large", layers=LAYERS)).path
    with ExitStack() as running:
        stack = running.enter_context(run_stack(folder / "stack"))
        callers = running.enter_context(run_callers())

        def begin(fault: Fault) -> Subject:
            match fault.name:
                case "overload":
                    servers = [running.enter_context(serve_alone(large, VALENCE_LANES="1"))]
                case "killed-worker":
                    servers = [running.enter_context(serve(usual, VALENCE_WORKERS="2", VALENCE_LANES="1"))]
                case "stuck-rollout":
                    servers = [running.enter_context(serve_alone(package)) for package in (usual, newer)]
                case _:
                    servers = [running.enter_context(serve_alone(usual))]
            return _subject(fault, servers, stack, callers)

        with ThreadPoolExecutor(4) as starters:
            subjects = {subject.release: subject for subject in starters.map(begin, FAULTS)}
        started = time.time()
        for subject in subjects.values():
            stack.scrape(subject.server.url.removeprefix("http://"), subject.release)
            subject.traffic.rate = RATE
        with ThreadPoolExecutor(len(FAULTS)) as breakers:
            for done in [breakers.submit(fault.happen, subjects[fault.name]) for fault in FAULTS]:
                done.result()
        unresolved = _wait_until_resolved(stack)
        yield Proof(stack, subjects, started, _first_firing(stack, started), unresolved)


def _subject(fault: Fault, servers: "list[LiveServer]", stack: Stack, callers: Callers) -> Subject:
    return Subject(fault.name, servers, stack, callers.call(servers[0].url, USUAL, 0))


def _wait_until_resolved(stack: Stack) -> dict[str, set[Alert]]:
    deadline = time.monotonic() + RESOLVED_WITHIN_S
    while firing := stack.query('ALERTS{alertstate="firing"}'):
        if time.monotonic() > deadline:
            break
        threading.Event().wait(1)
    threading.Event().wait(10)  # that Alertmanager tells of the last
    found = defaultdict(set)
    for series in firing:
        found[series["metric"]["release"]].add(which(series["metric"]))
    return found


def _first_firing(stack: Stack, started: float) -> dict[str, dict[Alert, float]]:
    found: dict[str, dict[Alert, float]] = defaultdict(dict)
    for series in stack.query_range('ALERTS{alertstate="firing"}', started, time.time(), 1):
        labels = series["metric"]
        found[labels["release"]][which(labels)] = float(series["values"][0][0])
    return found


@pytest.fixture(scope="module", autouse=True)
def _table(proof: Proof, request: pytest.FixtureRequest) -> Iterator[None]:
    """Print which alert told of which fault, and how soon."""
    yield
    rows = ["| fault | alert | fires after | webhook told after |", "|---|---|---|---|"]
    for release, subject in proof.subjects.items():
        for alert, at in sorted(proof.fired[release].items(), key=lambda found: found[1]):
            told = [
                each.at
                for each in proof.stack.notifications
                if each.labels["release"] == release and which(each.labels) == alert
            ]
            after = f"{min(told) - subject.began:.0f} s" if told else "never"
            rows.append(f"| {release} | {alert.name} {alert.which} | {at - subject.began:.0f} s | {after} |")
    rows.append(f"\nin all {time.time() - proof.started:.0f} s; one second here is one minute as shipped")
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    assert terminal is not None
    terminal.write("\n\n" + "\n".join(rows) + "\n")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_makes_the_expected_alerts_fire_and_no_others(proof: Proof, fault: Fault) -> None:
    fired = set(proof.fired[fault.name])
    assert fired >= fault.expected
    assert fired <= fault.expected | fault.possible


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_alerts_fire_after_the_fault_began(proof: Proof, fault: Fault) -> None:
    assert all(at >= proof.subjects[fault.name].began for at in proof.fired[fault.name].values())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_mending_ends_them_all(proof: Proof, fault: Fault) -> None:
    assert not proof.unresolved.get(fault.name)
    newest = {
        which(each.labels): each.status
        for each in proof.stack.notifications
        if each.labels["release"] == fault.name
    }
    assert set(newest.values()) <= {"resolved"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_somebody_was_told_of_each(proof: Proof, fault: Fault) -> None:
    told = {which(each.labels) for each in proof.stack.notifications if each.labels["release"] == fault.name}
    assert fault.expected <= told


def test_what_is_told_can_be_read(proof: Proof) -> None:
    for each in proof.stack.notifications:
        assert set(each.annotations) == {"summary", "description", "runbook_url", "dashboard"}
        for text in each.annotations.values():
            assert "<no value>" not in text
            assert "error" not in text.replace("error budget", "")
