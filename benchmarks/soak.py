"""Whether a server grows: its memory each second under steady load."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import OURS, Pair
from benchmarks.load import Job, run_load
from benchmarks.plan import Plan
from benchmarks.processes import memory_mb
from benchmarks.progress import Say
from benchmarks.server import running
from benchmarks.statistics import slope

_CONCURRENCY = 32
_PIECE_S = 30.0  # one load generator after another, as each makes its texts beforehand
_SETTLING = 0.5  # the share at the beginning in which memory may still grow to its working size


@dataclass(frozen=True)
class Soak:
    """What came of it: the memory of the largest process, once it had settled.

    Attributes:
        minutes: How long.
        requests: How many were answered with 200, about.
        errors: Other answers.
        start_mb: At the beginning of the settled part.
        end_mb: At the end.
        slope_mb_per_hour: Of the line through it.
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
    with running(OURS, {}, pair) as server, ThreadPoolExecutor(1) as pool:
        for piece in range(max(1, round(minutes * 60 / _PIECE_S))):
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
                concurrency=_CONCURRENCY,
            )
            load = pool.submit(run_load, job)
            while not load.done():
                samples.append(memory_mb(server.pid)[1])
                time.sleep(1)
            requests += round(load.result().rps * _PIECE_S)
            errors += load.result().errors
            say(f"soak: {samples[-1]:.1f} MB after {(piece + 1) * _PIECE_S / 60:.1f} min", _PIECE_S)
    settled = samples[int(_SETTLING * len(samples)) :]
    per_second, within = slope(settled)
    return Soak(minutes, requests, errors, settled[0], settled[-1], per_second * 3600, within * 3600, samples)
