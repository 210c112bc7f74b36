"""How long what is measured."""

from dataclasses import dataclass

from bento.cpus import usable_cpus


@dataclass(frozen=True)
class Plan:
    """The settings of a run.

    Attributes:
        rounds: How often everything is measured, in turn; medians over rounds are reported.
        concurrency: How many requests are in flight.
        warm_s: Seconds of load before each cell.
        cell_s: Measured seconds of a cell.
        tune_s: Measured seconds of each setting that is tried; 0: each server's first setting is taken.
        tune_concurrency: Settings are compared by the geometric mean of requests/s at these.
        overload_s: Measured seconds of each overload row.
        offline_texts: How many texts each point of the offline grid scores.
        lone_texts: How many texts are scored one by one.
    """

    rounds: int
    concurrency: tuple[int, ...]
    warm_s: float
    cell_s: float
    tune_s: float
    tune_concurrency: tuple[int, ...]
    overload_s: float
    offline_texts: int
    lone_texts: int

    def texts(self, seconds: float) -> int:
        """Return how many texts are more than any server answers in this time."""
        return int(2_000 * usable_cpus() * (self.warm_s + seconds))


FULL = Plan(
    rounds=3,
    concurrency=(1, 8, 32, 128),
    warm_s=1.5,
    cell_s=5.0,
    tune_s=2.5,
    tune_concurrency=(32, 128),
    overload_s=8.0,
    offline_texts=256 * usable_cpus(),
    lone_texts=200,
)
QUICK = Plan(
    rounds=1,
    concurrency=(1, 8, 32, 128),
    warm_s=0.5,
    cell_s=1.5,
    tune_s=0.0,
    tune_concurrency=(),
    overload_s=2.0,
    offline_texts=128 * usable_cpus(),
    lone_texts=50,
)
