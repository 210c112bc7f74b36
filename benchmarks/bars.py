"""The bars: what the server must reach against its peers and the machine, and what it did."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Document = dict[str, Any]

_OURS = ("valence", "onnx")
_RSS_MB = 350.0
_READY_S = 3.0
_LONE_MS = 1.0
_GOODPUT = 0.9


@dataclass(frozen=True)
class Bar:
    """One line of the table of bars.

    Attributes:
        what: What is compared.
        least: The bar, if it must be reached.
        most: The bar, if it must not be passed.
        measured: What was measured; NaN where it was not.
        rounds: The same in each round, where it can be told.
        unit: Of all of these.
    """

    what: str
    measured: float
    least: float = -math.inf
    most: float = math.inf
    rounds: tuple[float, ...] = ()
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the bar is reached; not if nothing was measured."""
        return self.least <= self.measured <= self.most


def bars(document: Document) -> list[Bar]:
    """Compute all bars from what a run found: of medians, and round by round."""
    found = [
        Bar(what, value(document), least=least, rounds=tuple(value(part) for part in document["rounds"]))
        for what, least, value in _RATIOS
    ]
    return found + _lone(document) + _overload(document) + _resources(document) + _soak(document)


def _cpu(concurrency: int) -> Callable[[Document], float]:
    def ratio(part: Document) -> float:
        offline = max(point["texts_per_cpu_s"] for point in part["offline"])
        cpu_ms = _cell(part["rows"], *_OURS, concurrency)["cpu_ms_per_request"]
        return 1e3 / cpu_ms / offline if cpu_ms else math.nan

    return ratio


def _rps(server: str, backend: str, concurrency: int) -> Callable[[Document], float]:
    def ratio(part: Document) -> float:
        ours = _cell(part["rows"], *_OURS, concurrency)["rps"]
        theirs = _cell(part["rows"], server, backend, concurrency)["rps"]
        return float(ours / theirs) if theirs else math.nan  # a peer that failed is no measurement

    return ratio


_RATIOS: tuple[tuple[str, float, Callable[[Document], float]], ...] = (
    ("predictions per CPU-second ÷ offline texts per CPU-second, concurrency 128", 0.90, _cpu(128)),
    ("the same, concurrency 32", 0.85, _cpu(32)),
    ("requests/s ÷ FastAPI, same ONNX file, concurrency 1", 1.0, _rps("fastapi", "onnx", 1)),
    ("the same, concurrency 32", 1.5, _rps("fastapi", "onnx", 32)),
    ("the same, concurrency 128", 1.7, _rps("fastapi", "onnx", 128)),
    ("requests/s ÷ BentoML batchable, same ONNX file, concurrency 128", 3.0, _rps("bentoml", "onnx", 128)),
    ("requests/s ÷ LitServe, same ONNX file, concurrency 128", 2.0, _rps("litserve", "onnx", 128)),
    (
        "requests/s ÷ FastAPI + transformers.pipeline, concurrency 32",
        8.0,
        _rps("fastapi", "transformers", 32),
    ),
)


def _cell(rows: Sequence[Row], server: str, backend: str, concurrency: int) -> Row:
    return next(
        row
        for row in rows
        if (row["server"], row["backend"], row["concurrency"]) == (server, backend, concurrency)
    )


def _lone(document: Document) -> list[Bar]:
    lone = document["lone"]
    added = lone["served_p50_ms"] - min(lone["scorer_p50_ms"].values())
    return [Bar("added to a lone request by queue and HTTP, p50", added, most=_LONE_MS, unit="ms")]


def _overload(document: Document) -> list[Bar]:
    twice = next(row for row in document["overload"] if row["times"] == 2)
    return [
        Bar("goodput at twice the capacity ÷ peak", twice["goodput_rps"] / twice["peak_rps"], least=_GOODPUT),
        Bar(
            "p99 of accepted at twice the capacity, against the budget and one batch",
            math.nan if twice["p99_ms"] is None else twice["p99_ms"],
            most=twice["budget_ms"] + twice["batch_ms"],
            unit="ms",
        ),
    ]


def _resources(document: Document) -> list[Bar]:
    ready = _cell(document["rows"], *_OURS, 1)["ready_s"]
    return [
        Bar("RSS of a worker", document["largest_process_mb"], most=_RSS_MB, unit="MB"),
        Bar("seconds from start to first answer", ready, most=_READY_S, unit="s"),
    ]


def _soak(document: Document) -> list[Bar]:
    """The slope must not be told from none: its interval holds zero, or it falls."""
    soak = document["soak"]
    if soak is None:
        return [Bar("growth in a soak", math.nan, most=0.0, unit="MB/h")]
    return [
        Bar(
            f"growth in a soak of {soak['minutes']:g} min, against its 95% interval",
            soak["slope_mb_per_hour"],
            most=soak["slope_within"],
            unit="MB/h",
        )
    ]
