"""Which of many alike things are worth a line in the log."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Kind = TypeVar("Kind", bound=Hashable)


@dataclass(slots=True)
class _State:
    second: int = -1
    taken: int = 0
    passed: int = 0


class Sampler(Generic[Kind]):
    """Takes the first few of each kind in each second, and counts those that it lets pass."""

    def __init__(self, per_s: int) -> None:
        """Make one that takes at most `per_s` of a kind in a second."""
        self._per_s = per_s
        self._states: dict[Kind, _State] = {}

    def take(self, kind: Kind, now: float) -> int:
        """Return for how many of its kind this one stands, itself among them; 0: it is let pass."""
        state = self._states.get(kind)
        if state is None:
            state = self._states[kind] = _State()
        second = int(now)
        if state.second != second:
            state.second, state.taken = second, 0
        state.passed += 1
        if state.taken == self._per_s:
            return 0
        state.taken += 1
        stands_for, state.passed = state.passed, 0
        return stands_for

    def rest(self, now: float) -> list[tuple[Kind, int]]:
        """Return how many of each kind were let pass in the seconds that are over, and forget them."""
        rest = [
            (kind, state.passed)
            for kind, state in self._states.items()
            if state.passed and state.second + 1 <= now
        ]
        for kind, _ in rest:
            self._states[kind].passed = 0
        return rest
