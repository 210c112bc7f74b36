"""A whole run, from a plan to the document that reports are made of."""

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks import corpus, overload, soak
from benchmarks.cells import START_S, Cell, choose, group, measure, rows_of, tune_seconds
from benchmarks.contenders import CONTENDERS, OURS, Pair, Variant, command_line, describe
from benchmarks.machine import describe_machine
from benchmarks.offline import BATCH_TOKENS, Job, Offline, Point, run_offline, shapes
from benchmarks.overload import measure_overload
from benchmarks.plan import Plan
from benchmarks.progress import progress
from benchmarks.statistics import median
from bento.cpus import usable_cpus

_TUNING = ("VALENCE_LANES", "VALENCE_BATCH_TOKENS", "VALENCE_MAX_QUEUE_MS", "VALENCE_LOG_LEVEL")
_POINT_S = 2.0  # what a point of the grid takes, to plan with


def run(pair: Pair, plan: Plan, *, soak_minutes: float, scratch: Path) -> dict[str, Any]:
    """Measure everything, all in turn, round after round.

    Args:
        pair: The weights that all serve.
        plan: How long.
        soak_minutes: How long our server is watched for growth; 0: not at all.
        scratch: A directory for what runs need.

    Returns:
        What `docs/benchmarks.json` holds.

    Raises:
        ServerError: A server does not start.
        LoadError: A server was not loaded as planned.
    """
    words = scratch / "words.json"
    corpus.write_words(words, (pair.package / "tokenizer.json").read_bytes())
    machine = describe_machine()
    cells: list[Cell] = []
    offline: list[Offline] = []
    with progress(seconds(plan, soak_minutes)) as say:
        variants = [choose(contender, pair, words, plan, say) for contender in CONTENDERS]
        for number in range(plan.rounds):
            offline.append(
                run_offline(
                    Job(str(pair.package), str(words), (number, 0), plan.offline_texts, plan.lone_texts)
                )
            )
            best = max(point.texts_per_s for point in offline[-1].grid)
            say(f"round {number + 1}  offline: {best:.1f} texts/s", _offline_seconds())
            for contender, variant in zip(CONTENDERS, variants, strict=True):
                cells += measure(contender, variant, pair, words, plan, number, say)
        overloads = measure_overload(pair, words, plan, say)
        watched = soak.measure_soak(pair, words, plan, soak_minutes, say) if soak_minutes else None
    return {
        "machine": machine,
        "settings": _settings(plan, variants),
        "rows": rows_of(cells),
        "load_generator": _load_generator(cells),
        "offline": [asdict(point) for point in _median_grid(offline)],
        "lone": _lone(offline, cells),
        "largest_process_mb": round(
            max(cell.largest_process_mb for cell in cells if cell.server == OURS.name), 1
        ),
        "overload": [asdict(one) for one in overloads],
        "soak": asdict(watched) if watched else None,
        "rounds": [
            {
                "rows": rows_of([cell for cell in cells if cell.round == number]),
                "offline": [asdict(point) for point in offline[number].grid],
            }
            for number in range(plan.rounds)
        ],
    }


def seconds(plan: Plan, soak_minutes: float) -> float:
    """Return how long a run should take."""
    tuned = [len(contender.variants) for contender in CONTENDERS if len(contender.variants) > 1]
    cells_s = START_S + len(plan.concurrency) * (plan.warm_s + plan.cell_s)
    return (
        bool(plan.tune_s) * sum(tuned) * tune_seconds(plan)
        + plan.rounds * (_offline_seconds() + len(CONTENDERS) * cells_s)
        + overload.seconds(plan)
        + (soak.seconds(soak_minutes) if soak_minutes else 0.0)
    )


def _offline_seconds() -> float:
    return len(shapes(usable_cpus())) * len(BATCH_TOKENS) * _POINT_S


def _settings(plan: Plan, variants: Sequence[Variant]) -> dict[str, Any]:
    return {
        **asdict(plan),
        "tokens": {
            "median": corpus.MEDIAN_TOKENS,
            "sigma": corpus.SIGMA,
            "min": corpus.MIN_TOKENS,
            "max": corpus.MAX_TOKENS,
        },
        "environment": {name: os.environ[name] for name in _TUNING if name in os.environ},
        "servers": [
            {
                "server": contender.name,
                "backend": contender.backend,
                "command": command_line(contender, variant),
                "chosen": describe(variant),
                "tried": [describe(one) for one in contender.variants] if plan.tune_s else [],
            }
            for contender, variant in zip(CONTENDERS, variants, strict=True)
        ],
    }


def _load_generator(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    return [
        {
            "server": server,
            "backend": backend,
            "concurrency": concurrency,
            "cpu_ms_per_request": round(median(cell.client_cpu_ms_per_request for cell in same), 4),
            "cpu_share": round(median(cell.client_cpu_share for cell in same), 4),
            "other_cpu_share": round(median(cell.other_cpu_share for cell in same), 4),
        }
        for (server, backend, concurrency), same in group(cells).items()
    ]


def _median_grid(found: Sequence[Offline]) -> list[Point]:
    return [
        replace(
            same[0],
            texts_per_s=median(point.texts_per_s for point in same),
            texts_per_cpu_s=median(point.texts_per_cpu_s for point in same),
        )
        for same in zip(*(one.grid for one in found), strict=True)
    ]


def _lone(found: Sequence[Offline], cells: Sequence[Cell]) -> dict[str, Any]:
    """Return the median time of a text alone: scored in process, by threads, and over HTTP."""
    return {
        "scorer_p50_ms": {
            threads: median(one.lone_p50_ms[threads] for one in found) for threads in found[0].lone_p50_ms
        },
        "served_p50_ms": median(
            cell.p50_ms for cell in cells if cell.server == OURS.name and cell.concurrency == 1
        ),
    }
