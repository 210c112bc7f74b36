"""What a server does when more is asked than it can do: arrivals at random that wait for nobody."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.contenders import HOST, OURS, Pair
from benchmarks.load import Job, run_load
from benchmarks.plan import Plan
from benchmarks.progress import Say
from benchmarks.server import Running, running
from benchmarks.statistics import median
from bento.settings import load_settings

_PEAK_CONCURRENCY = 128
_TIMES = (1, 2)


@dataclass(frozen=True)
class Overload:
    """What came of one rate of arrivals; medians over rounds.

    Attributes:
        times: The rate, in times of what the server answers at most.
        asked_per_s: The rate.
        peak_rps: What it answers at most: 128 requests always in flight, just before.
        goodput_rps: Answers with 200 within the budget and one batch, per second.
        p99_ms: Of all answers with 200, from when the request was due.
        budget_ms: `VALENCE_MAX_QUEUE_MS`.
        batch_ms: The mean batch meanwhile.
        refused: Answers with 429.
        errors: All other answers, and broken connections.
        asked: All requests.
        server_cpu_share: What the server took of the processors; 1 is one of them.
        other_cpu_share: What neither server nor load generator took.
    """

    times: float
    asked_per_s: float
    peak_rps: float
    goodput_rps: float
    p99_ms: float
    budget_ms: float
    batch_ms: float
    refused: float
    errors: float
    asked: float
    server_cpu_share: float
    other_cpu_share: float


def measure_overload(pair: Pair, words: Path, plan: Plan, say: Say) -> list[Overload]:
    """Offer our server what it can do, and twice that.

    Raises:
        ServerError: It does not start.
        LoadError: It was not loaded as planned.
    """
    with running(OURS, {}, pair) as server:
        found = [
            overload for number in range(plan.rounds) for overload in _round(server, words, plan, number, say)
        ]
    return [_median([one for one in found if one.times == times]) for times in _TIMES]


def seconds(plan: Plan) -> float:
    """Return how long that takes."""
    return plan.rounds * (1 + len(_TIMES)) * (plan.warm_s + plan.overload_s)


def _round(server: Running, words: Path, plan: Plan, number: int, say: Say) -> list[Overload]:
    budget_ms = float(load_settings().max_queue_ms)

    def job(step: int, *, concurrency: int = 0, rate: float = 0.0, within_s: float = 1e9) -> Job:
        return Job(
            port=server.port,
            server=server.pid,
            before=OURS.before,
            after=OURS.after,
            words=str(words),
            seed=(number, 1_000 + step),
            texts=max(plan.texts(plan.overload_s), int(2 * rate * (plan.warm_s + plan.overload_s))),
            warm_s=plan.warm_s,
            seconds=plan.overload_s,
            concurrency=concurrency,
            rate=rate,
            within_s=within_s,
        )

    planned_s = plan.warm_s + plan.overload_s
    before = _batches(server.port)
    peak = run_load(job(0, concurrency=_PEAK_CONCURRENCY))
    batch_ms = _mean_ms(before, _batches(server.port))
    say(f"overload {number + 1}: at most {peak.rps:.1f} requests/s", planned_s)
    found = []
    for times in _TIMES:
        before = _batches(server.port)
        rate = times * peak.rps
        load = run_load(job(times, rate=rate, within_s=(budget_ms + batch_ms) / 1e3))
        found.append(
            Overload(
                times=times,
                asked_per_s=rate,
                peak_rps=peak.rps,
                goodput_rps=load.useful_rps,
                p99_ms=load.p99_ms,
                budget_ms=budget_ms,
                batch_ms=_mean_ms(before, _batches(server.port)),
                refused=load.refused,
                errors=load.errors,
                asked=sum(load.statuses.values()),
                server_cpu_share=load.server_cpu_share,
                other_cpu_share=load.other_cpu_share,
            )
        )
        say(
            f"overload {number + 1}: {times} x capacity  {load.useful_rps:.1f} useful answers/s  "
            f"p99 {load.p99_ms:.0f} ms  {load.refused} refused  {load.errors} errors",
            planned_s,
        )
    return found


def _batches(port: int) -> tuple[float, float]:
    """Return the seconds that batches took so far, and how many there were."""
    connection = HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return _metric(text, "valence_inference_seconds_sum"), _metric(text, "valence_inference_seconds_count")


def _metric(text: str, name: str) -> float:
    return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)", text, re.MULTILINE)))


def _mean_ms(before: tuple[float, float], after: tuple[float, float]) -> float:
    return (after[0] - before[0]) / max(1.0, after[1] - before[1]) * 1e3


def _median(found: Sequence[Overload]) -> Overload:
    each = [asdict(one) for one in found]
    return Overload(**{name: median(one[name] for one in each) for name in each[0]})
