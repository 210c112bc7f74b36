"""Whether a run was good enough."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a run may not exceed; infinity: not judged.

    Attributes:
        error_ratio: Failed requests, of all.
        p95_ms: Of requests for a single text; how long a batch takes is a matter of its size.
        p99_ms: As before.
    """

    error_ratio: float
    p95_ms: float
    p99_ms: float


USUAL = Limits(error_ratio=0.001, p95_ms=100, p99_ms=300)
# The budget of the server's queue (`VALENCE_MAX_QUEUE_MS`, 1 s), and as much again to be scored and sent.
OVERLOAD = Limits(error_ratio=0.001, p95_ms=math.inf, p99_ms=2000)


@dataclass(frozen=True)
class Figures:
    """What a run came to.

    Attributes:
        answered: Requests with a right answer, single texts and batches.
        refused: Requests that a server with too much to do declined, where that is allowed.
        failed: All others.
        crashed: Faults of the load test itself.
        p50_ms: Of the requests for a single text that were not refused.
        p95_ms: As before.
        p99_ms: As before.
    """

    answered: int
    refused: int
    failed: int
    crashed: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def asked(self) -> int:
        """All requests."""
        return self.answered + self.refused + self.failed

    def __str__(self) -> str:
        return (
            f"{self.asked} requests, {self.answered} answered, {self.refused} refused, {self.failed} failed; "
            f"of single texts p50 {self.p50_ms:.0f} ms, p95 {self.p95_ms:.0f} ms, p99 {self.p99_ms:.0f} ms"
        )


def judge(figures: Figures, limits: Limits) -> list[str]:
    """Return a sentence for each limit that is exceeded."""
    broken = []
    if figures.crashed:
        broken.append(f"the load test itself failed {figures.crashed} times; its log says how")
    if not figures.answered:
        return [*broken, "nothing was answered"]
    ratio = figures.failed / figures.asked
    if ratio > limits.error_ratio:
        broken.append(f"{ratio:.2%} of the requests failed, at most {limits.error_ratio:.2%} may")
    for name, found, limit in (
        ("p95", figures.p95_ms, limits.p95_ms),
        ("p99", figures.p99_ms, limits.p99_ms),
    ):
        if found > limit:
            broken.append(f"{name} of single texts is {found:.0f} ms, at most {limit:g} ms are allowed")
    return broken
