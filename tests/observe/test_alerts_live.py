"""Faults in the real service make the expected set of alerts fire, and mending it ends them all."""

import pytest

from tests.observe.faults import FAULTS, Fault
from tests.observe.proof import Proof

every_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@every_fault
def test_a_fault_makes_the_expected_alerts_fire_and_no_others(proof: Proof, fault: Fault) -> None:
    fired = set(proof.fired[fault.name])
    stalled = "also where nothing was done: the machine stalled, try again" if proof.fired["nothing"] else ""
    assert fired >= fault.expected, stalled
    assert fired <= fault.expected | fault.possible, stalled


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
