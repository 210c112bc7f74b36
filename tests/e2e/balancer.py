"""Which pod the next connection goes to, as a load balancer decides it that hears of removals late.

A pod that is added takes part at once, and one that is removed takes part until the news has arrived: a real
load balancer finds out seconds after the pod was told to stop, and what it sends until then must not be lost.
"""

import threading
from collections.abc import Set
from dataclasses import dataclass

REMOVAL_DELAY_S = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go, and which pod that is; `pod` is empty where something else chooses the pod."""

    host: str
    port: int
    pod: str = ""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Balancer:
    """Takes turns among the addresses; one thread may update it while another asks.

    Args:
        removal_delay_s: How long an address that is no longer ready still gets its share.
    """

    def __init__(self, removal_delay_s: float = REMOVAL_DELAY_S) -> None:
        self._removal_delay_s = removal_delay_s
        self._until: dict[Address, float | None] = {}
        self._turn = 0
        self._lock = threading.Lock()

    def update(self, ready: Set[Address], now: float) -> None:
        """Take note of all that are ready now.

        Args:
            ready: The addresses.
            now: Seconds on any clock that only goes forward, the same as for `pick`.
        """
        with self._lock:
            for address in ready:
                self._until[address] = None
            for address, until in self._until.items():
                if until is None and address not in ready:
                    self._until[address] = now + self._removal_delay_s

    def pick(self, now: float) -> Address | None:
        """Return whose turn it is; None where no address is left."""
        with self._lock:
            for address in [
                each for each, until in self._until.items() if until is not None and until <= now
            ]:
                del self._until[address]
            if not self._until:
                return None
            self._turn += 1
            return list(self._until)[self._turn % len(self._until)]

    def addresses(self) -> list[Address]:
        """Return those that take part, also those that leave."""
        with self._lock:
            return list(self._until)
