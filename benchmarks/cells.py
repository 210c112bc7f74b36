"""The table: every server at every concurrency, round by round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from benchmarks.contenders import Contender, Pair, Variant, describe
from benchmarks.load import Job, run_load
from benchmarks.plan import Plan
from benchmarks.processes import memory_mb
from benchmarks.progress import Say
from benchmarks.server import Running, running
from benchmarks.statistics import median

START_S = 5.0  # what starting and stopping a server takes, to plan with


@dataclass(frozen=True)
class Cell:
    """One server at one concurrency in one round."""

    round: int
    server: str
    backend: str
    concurrency: int
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_ms_per_request: float
    client_cpu_ms_per_request: float
    client_cpu_share: float
    other_cpu_share: float
    errors: int
    refused: int
    rss_mb: float
    largest_process_mb: float
    ready_s: float


def measure(
    contender: Contender, variant: Variant, pair: Pair, words: Path, plan: Plan, number: int, say: Say
) -> list[Cell]:
    """Start a server, measure it at each concurrency with nothing left over in between, and end it.

    Args:
        contender: The server.
        variant: Its settings.
        pair: What it serves.
        words: What texts are made of.
        plan: How long.
        number: Of the round; all servers get the same texts in a round, and others in the next.
        say: Hears of each cell.

    Raises:
        ServerError: It does not start.
        LoadError: It was not loaded as planned.
    """
    loads = []
    with running(contender, variant, pair) as server:
        for concurrency in plan.concurrency:
            load = run_load(
                _job(contender, server, words, plan, (number, concurrency), plan.cell_s, concurrency)
            )
            memory = memory_mb(server.pid)
            loads.append((concurrency, load, memory))
            say(
                f"round {number + 1}  {contender.name:14} {contender.backend:12} {concurrency:4}  "
                f"{load.rps:7.1f} requests/s  p50 {load.p50_ms:7.1f} ms  p99 {load.p99_ms:7.1f} ms  "
                f"{load.server_cpu_ms_per_request:6.2f} CPU-ms",
                plan.warm_s + plan.cell_s,
            )
    say(f"round {number + 1}  {contender.name:14} ready after {server.ready_s:.1f} s", START_S)
    return [
        Cell(
            round=number,
            server=contender.name,
            backend=contender.backend,
            concurrency=concurrency,
            rps=load.rps,
            p50_ms=load.p50_ms,
            p99_ms=load.p99_ms,
            cpu_ms_per_request=load.server_cpu_ms_per_request,
            client_cpu_ms_per_request=load.client_cpu_ms_per_request,
            client_cpu_share=load.client_cpu_share,
            other_cpu_share=load.other_cpu_share,
            errors=load.errors,
            refused=load.refused,
            rss_mb=rss_mb,
            largest_process_mb=largest_mb,
            ready_s=server.ready_s,
        )
        for concurrency, load, (rss_mb, largest_mb) in loads
    ]


def choose(contender: Contender, pair: Pair, words: Path, plan: Plan, say: Say) -> Variant:
    """Return the settings with which a server serves most, by the geometric mean over concurrencies.

    Raises:
        ServerError: It does not start.
    """
    if not plan.tune_s or len(contender.variants) == 1:
        return contender.variants[0]
    speeds = []
    for variant in contender.variants:
        with running(contender, variant, pair) as server:
            loads = [
                run_load(_job(contender, server, words, plan, (99, concurrency), plan.tune_s, concurrency))
                for concurrency in plan.tune_concurrency
            ]
        speeds.append(prod(load.rps for load in loads) ** (1 / len(loads)))
        say(
            f"trying   {contender.name:14} {contender.backend:12} {describe(variant)}: "
            f"{speeds[-1]:.1f} requests/s",
            tune_seconds(plan),
        )
    return contender.variants[speeds.index(max(speeds))]


def tune_seconds(plan: Plan) -> float:
    """Return how long trying one set of settings takes."""
    return START_S + len(plan.tune_concurrency) * (plan.warm_s + plan.tune_s)


def rows_of(cells: Sequence[Cell]) -> list[dict[str, str | int | float]]:
    """Reduce the rounds to the rows of the table: medians; errors are summed, memory is the most seen."""
    return [
        {
            "server": server,
            "backend": backend,
            "concurrency": concurrency,
            "rps": round(median(cell.rps for cell in same), 2),
            "p50_ms": round(median(cell.p50_ms for cell in same), 3),
            "p99_ms": round(median(cell.p99_ms for cell in same), 3),
            "cpu_ms_per_request": round(median(cell.cpu_ms_per_request for cell in same), 4),
            "errors": sum(cell.errors for cell in same),
            "rss_mb": round(max(cell.rss_mb for cell in same), 1),
            "ready_s": round(median(cell.ready_s for cell in same), 2),
        }
        for (server, backend, concurrency), same in group(cells).items()
    ]


def group(cells: Sequence[Cell]) -> Mapping[tuple[str, str, int], list[Cell]]:
    """Return the rounds of each cell."""
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.server, cell.backend, cell.concurrency), []).append(cell)
    return groups


def _job(
    contender: Contender,
    server: Running,
    words: Path,
    plan: Plan,
    seed: tuple[int, ...],
    seconds: float,
    concurrency: int,
) -> Job:
    return Job(
        port=server.port,
        server=server.pid,
        before=contender.before,
        after=contender.after,
        words=str(words),
        seed=seed,
        texts=plan.texts(seconds),
        warm_s=plan.warm_s,
        seconds=seconds,
        concurrency=concurrency,
    )
