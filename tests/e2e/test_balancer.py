"""A balancer adds at once, forgets late, and is fair, on a simulated clock."""

from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.balancer import REMOVAL_DELAY_S, Address, Balancer

A, B, C = (Address(f"10.0.0.{number}", 3000, f"pod-{number}") for number in range(3))


def picked(balancer: Balancer, now: float, times: int = 6) -> set[Address | None]:
    return {balancer.pick(now) for _ in range(times)}


def test_with_nobody_there_is_no_address() -> None:
    assert Balancer().pick(0) is None


def test_an_addition_takes_part_at_once() -> None:
    balancer = Balancer()
    balancer.update({A}, 0)
    balancer.update({A, B}, 1)
    assert picked(balancer, 1) == {A, B}


def test_a_removal_is_heard_of_late() -> None:
    balancer = Balancer()
    balancer.update({A, B}, 0)
    balancer.update({B}, 10)
    balancer.update({B}, 12)  # told again: the delay counts from the first time
    assert picked(balancer, 10 + REMOVAL_DELAY_S - 0.01) == {A, B}
    assert picked(balancer, 10 + REMOVAL_DELAY_S) == {B}


def test_who_comes_back_in_time_was_never_away() -> None:
    balancer = Balancer()
    balancer.update({A}, 0)
    balancer.update(set(), 1)
    balancer.update({A}, 2)
    assert picked(balancer, 100) == {A}


def test_who_comes_back_and_goes_again_gets_the_whole_delay() -> None:
    balancer = Balancer()
    for ready, now in (({A}, 0), (set(), 1), ({A}, 4), (set(), 5)):
        balancer.update(ready, now)
    assert picked(balancer, 5 + REMOVAL_DELAY_S - 0.01) == {A}
    assert balancer.pick(5 + REMOVAL_DELAY_S) is None


def test_an_ipv6_address_is_written_in_brackets() -> None:
    assert str(Address("fd00::1", 3000)) == "[fd00::1]:3000"
    assert str(A) == "10.0.0.0:3000"


@given(st.lists(st.tuples(st.floats(0, 10), st.sets(st.sampled_from([A, B, C]))), min_size=1, max_size=20))
def test_exactly_those_of_the_last_seconds_take_part(steps: list[tuple[float, set[Address]]]) -> None:
    balancer = Balancer()
    last_ready: dict[Address, float] = {}
    now = 0.0
    known: set[Address] = set()
    for pause, ready in steps:
        now += pause
        for address in known - ready:  # it was ready until this moment
            last_ready[address] = now
        for address in ready:
            last_ready.pop(address, None)
        known = ready
        balancer.update(ready, now)
        leaving = {each for each, since in last_ready.items() if now < since + REMOVAL_DELAY_S}
        assert picked(balancer, now, 9) - {None} == ready | leaving


@given(st.integers(1, 3), st.integers(1, 50))
def test_it_is_fair(count: int, rounds: int) -> None:
    balancer = Balancer()
    balancer.update({A, B, C} if count == 3 else {A, B} if count == 2 else {A}, 0)
    turns = [balancer.pick(0) for _ in range(rounds * count)]
    assert {turns.count(each) for each in set(turns)} == {rounds}
