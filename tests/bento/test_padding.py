"""What padding costs is found by a clock, whatever the machine's speed, and it is never free."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.padding import measure_padding_cost
from bento.scorer import Encoding


class Machine:
    """Takes `a + b * (tokens + share * padding)` seconds for a batch, and longer now and then."""

    def __init__(self, a_s: float, b_s: float, share: float, disturbed_s: Sequence[float] = ()) -> None:
        self.now = 0.0
        self._a_s, self._b_s, self._share = a_s, b_s, share
        self._disturbed_s = list(disturbed_s)

    def __call__(self, batch: Sequence[Encoding]) -> None:
        tokens = sum(map(len, batch))
        padding = len(batch) * max(map(len, batch)) - tokens
        self.now += self._a_s + self._b_s * (tokens + self._share * padding)
        if self._disturbed_s:
            self.now += self._disturbed_s.pop()


def measure(machine: Machine, tokens: int = 40) -> float:
    return measure_padding_cost(machine, Encoding([1] * tokens, truncated=False), lambda: machine.now)


@given(a_us=st.integers(0, 10_000), b_us=st.integers(1, 500), share=st.floats(1 / 8, 1))
def test_its_share_is_found_at_any_speed(a_us: int, b_us: int, share: float) -> None:
    assert measure(Machine(a_us / 1e6, b_us / 1e6, share)) == pytest.approx(share, rel=1e-3)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_what_disturbs_a_few_batches_does_not_count(disturbed_s: list[float]) -> None:
    assert measure(Machine(1e-3, 1e-4, 0.5, disturbed_s)) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize(("share", "found"), [(0, 1 / 8), (2, 1)])
def test_it_is_neither_free_nor_dearer_than_text(share: float, found: float) -> None:
    assert measure(Machine(1e-3, 1e-4, share)) == found


def test_where_nothing_can_be_told_it_costs_what_text_does() -> None:
    assert measure(Machine(1e-3, 1e-4, 0.5), tokens=3) == 1
    assert measure(Machine(1e-3, 0, 0.5)) == 1
