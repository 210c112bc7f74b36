"""Faults in the real service make the expected set of alerts fire, and mending it ends them all."""

from collections.abc import Iterator

import pytest

from tests.observe.faults import FAULTS, Fault
from tests.observe.proof import Proof

every_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@pytest.fixture(scope="module", autouse=True)
def _table(proof: Proof, request: pytest.FixtureRequest) -> Iterator[None]:
    """Print which alert told of which fault, and how soon."""
    yield
    rows = ["| fault | alert | fires after | is told after | ends after mending |", "|---|---|---|---|---|"]
    for release, subject in proof.subjects.items():
        told = proof.told(release)
        for alert, (first, last) in sorted(proof.fired[release].items(), key=lambda found: found[1]):
            heard = f"{told[alert][0].at - subject.began:.0f} s" if told[alert] else "never"
            begun, over = first - subject.began, last - subject.ended
            rows.append(
                f"| {release} | {alert.name} {alert.which} | {begun:.0f} s | {heard} | {over:.0f} s |"
            )
    rows.append(f"\nAll in {proof.ended - proof.started:.0f} s. A second here is a minute as shipped.")
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    assert terminal is not None
    terminal.write("\n\n" + "\n".join(rows) + "\n")


@every_fault
def test_a_fault_makes_the_expected_alerts_fire_and_no_others(proof: Proof, fault: Fault) -> None:
    fired = set(proof.fired[fault.name])
    assert fired >= fault.expected
    assert fired <= fault.expected | fault.possible


@every_fault
def test_they_fire_after_the_fault_began(proof: Proof, fault: Fault) -> None:
    began = proof.subjects[fault.name].began
    assert all(first >= began for first, _ in proof.fired[fault.name].values())


@every_fault
def test_somebody_is_told_of_each(proof: Proof, fault: Fault) -> None:
    assert set(proof.told(fault.name)) >= fault.expected


@every_fault
def test_mending_ends_them_all(proof: Proof, fault: Fault) -> None:
    assert not proof.unresolved.get(fault.name)
    assert {heard[-1].status for heard in proof.told(fault.name).values()} <= {"resolved"}


def test_what_is_told_can_be_read(proof: Proof) -> None:
    for each in proof.stack.notifications:
        assert set(each.annotations) == {"summary", "description", "runbook_url", "dashboard"}
        for text in each.annotations.values():
            assert "<no value>" not in text
            assert "error expanding" not in text
