"""Whether a server grows: its memory each second under steady load."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import OURS, Pair
from benchmarks.load import Job, Load, run_load
from benchmarks.plan import Plan
from benchmarks.processes import memory_mb
from benchmarks.progress import Say
from benchmarks.server import running
from benchmarks.statistics import slope

_CONCURRENCY = 32
_PIECE_S = 30.0  # one load generator after another, as each makes its texts beforehand
# The engine keeps the room that the largest batches needed. Under steady load it takes hours until the two
# largest have coincided, so more than that comes first, and memory is watched from then on.
_SETTLING_CONCURRENCY = 128
_SETTLING_PIECES = 4


@dataclass(frozen=True)
class Soak:
    """What came of it: the memory of the largest process, after a time of heavier load.

    Attributes:
        minutes: How long, without that time.
        requests: How many were answered with 200, about.
        errors: Other answers.
        start_mb: At the beginning.
        end_mb: At the end.
        slope_mb_per_hour: Of the line through the samples.
        slope_within: Half the width of the slope's 95% confidence interval.
        rss_mb: Every sample, one each second.
    """

    minutes: float
    requests: int
    errors: int
    start_mb: float
    end_mb: float
    slope_mb_per_hour: float
    slope_within: float
    rss_mb: list[float]


def measure_soak(pair: Pair, words: Path, plan: Plan, minutes: float, say: Say) -> Soak:
    """Load our server steadily and watch its memory.

    Raises:
        ServerError: It does not start.
        LoadError: It was not loaded as planned.
        ValueError: Less than a minute was asked for.
    """
    if minutes < 1:
        raise ValueError("a soak of less than a minute says nothing")
    samples: list[float] = []
    requests = errors = 0
    pieces = [_SETTLING_CONCURRENCY] * _SETTLING_PIECES + [_CONCURRENCY] * max(
        1, round(minutes * 60 / _PIECE_S)
    )
    with running(OURS, {}, pair) as server:
        for piece, concurrency in enumerate(pieces):
            job = Job(
                port=server.port,
                server=server.pid,
                before=OURS.before,
                after=OURS.after,
                words=str(words),
                seed=(piece, 2_000),
                texts=plan.texts(_PIECE_S),
                warm_s=0.0,
                seconds=_PIECE_S,
                concurrency=concurrency,
            )
            load, memory = _watch(job)
            if piece >= _SETTLING_PIECES:
                samples += memory
                requests += round(load.rps * _PIECE_S)
                errors += load.errors
            say(f"soak: {memory[-1]:.1f} MB after {(piece + 1) * _PIECE_S / 60:.1f} min", _PIECE_S)
    per_second, within = slope(samples)
    return Soak(minutes, requests, errors, samples[0], samples[-1], per_second * 3600, within * 3600, samples)


def _watch(job: Job) -> tuple[Load, list[float]]:
    """Return what came of a job, and the server's memory each second meanwhile."""
    memory: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(run_load, job)
        while not load.done():
            memory.append(memory_mb(job.server)[1])
            time.sleep(1)
    return load.result(), memory


def seconds(minutes: float) -> float:
    """Return how long that takes, with the time before it."""
    return _SETTLING_PIECES * _PIECE_S + minutes * 60
