"""The page that people read, made of what a run found: `python -m benchmarks.report docs/benchmarks.json`."""

import json
import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import Bar, Document, Row, bars
from benchmarks.chart import draw
from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.method import describe_method

_NOT_PEERS = {contender.name for contender in CONTENDERS if not contender.peer}
_QUIET = 0.1  # of a processor: the kernel's own work comes to about this


def main() -> None:
    """Write the Markdown and the chart beside the JSON file that the command line names."""
    path = Path(sys.argv[1])
    print(write_report(path))


def write_report(path: Path) -> str:
    """Write `benchmarks.md` and `benchmarks.svg` beside a run's JSON file.

    Returns:
        The tables of results and bars, in Markdown.
    """
    document: Document = json.loads(path.read_text())
    limit = max(point["texts_per_s"] for point in document["offline"])
    chart = path.with_suffix(".svg")
    draw(document["rows"], limit, chart)
    results = "\n\n".join((results_table(document["rows"]), bars_table(bars(document))))
    path.with_suffix(".md").write_text(render(document, chart.name) + "\n")
    return results


def render(document: Document, chart: str) -> str:
    """Return the page."""
    found = bars(document)
    parts = [
        "# Benchmarks",
        "`make bench` measures this server against others on one machine in one run, and writes this page, "
        "[the rows](benchmarks.json) and the chart.",
        f"![Requests per second, p99 and CPU per request by concurrency]({chart})",
        "## Results",
        results_table(document["rows"]),
        "`rss` is the sum of the proportional set sizes of all processes of a server, the most seen in any "
        "round; `ready` is the time from its start to its first answer. All else are medians over rounds.",
        "## Bars",
        bars_table(found),
        "Ratios are of medians; behind them the lowest and highest of the rounds.",
        "## What is not flattering",
        "\n".join(f"- {line}" for line in unflattering(document, found)) or "Nothing was found.",
        "## The limit of the machine",
        "The same package scored offline: no HTTP, no queue, texts sorted by length, tokenising included.",
        offline_table(document["offline"]),
        "## Overload",
        "Arrivals at random (Poisson) that wait for nobody; latency counts from when a request was due.",
        overload_table(document["overload"]),
        "## A request alone",
        lone_table(document["lone"]),
        *_soak(document["soak"]),
        describe_method(document),
    ]
    return "\n\n".join(parts)


def results_table(rows: Sequence[Row]) -> str:
    """Return the table of all servers, by concurrency."""
    return _table(
        (
            *("concurrency", "server", "backend", "requests/s", "p50 ms", "p99 ms"),
            *("CPU-ms/request", "errors", "rss MB", "ready s"),
        ),
        (
            (
                row["concurrency"],
                row["server"],
                row["backend"],
                f"{row['rps']:.1f}",
                _ms(row["p50_ms"]),
                _ms(row["p99_ms"]),
                _ms(row["cpu_ms_per_request"], 2),
                row["errors"],
                f"{row['rss_mb']:.0f}",
                f"{row['ready_s']:.1f}",
            )
            for row in sorted(rows, key=lambda row: row["concurrency"])
        ),
    )


def bars_table(found: Sequence[Bar]) -> str:
    """Return the table of bars, those missed as well."""
    return _table(("what", "bar", "measured", "rounds", "met"), (_bar_row(bar) for bar in found))


def offline_table(grid: Sequence[Row]) -> str:
    """Return the offline grid; the best by either measure is bold."""
    best = {name: max(point[name] for point in grid) for name in ("texts_per_s", "texts_per_cpu_s")}

    def shown(point: Row, name: str) -> str:
        return f"**{point[name]:.1f}**" if point[name] == best[name] else f"{point[name]:.1f}"

    return _table(
        ("lanes", "threads each", "batch tokens", "texts/s", "texts per CPU-second"),
        (
            (
                point["lanes"],
                point["threads"],
                point["batch_tokens"],
                shown(point, "texts_per_s"),
                shown(point, "texts_per_cpu_s"),
            )
            for point in grid
        ),
    )


def overload_table(rows: Sequence[Row]) -> str:
    """Return what came of each rate of arrivals."""
    return _table(
        (
            *("asked", "asked/s", "peak/s", "goodput/s", "p99 ms of accepted", "refused (429)"),
            *("other errors", "server CPUs", "CPUs of others"),
        ),
        (
            (
                f"{row['times']:g} times the capacity",
                f"{row['asked_per_s']:.1f}",
                f"{row['peak_rps']:.1f}",
                f"{row['goodput_rps']:.1f}",
                f"{_ms(row['p99_ms'])} (budget {row['budget_ms']:.0f}, mean batch {row['batch_ms']:.0f})",
                f"{row['refused']:.0f} of {row['asked']:.0f}",
                f"{row['errors']:.0f}",
                f"{row['server_cpu_share']:.2f}",
                f"{row['other_cpu_share']:.2f}",
            )
            for row in rows
        ),
    )


def lone_table(lone: Row) -> str:
    """Return the times of a text alone."""
    scored = ((f"scored in process, {threads} threads", ms) for threads, ms in lone["scorer_p50_ms"].items())
    rows = (*scored, ("served", lone["served_p50_ms"]))
    return _table(("one text", "p50 ms"), ((what, f"{ms:.2f}") for what, ms in rows))


def unflattering(document: Document, found: Sequence[Bar]) -> list[str]:
    """Return what was missed or not measured, every cell in which a peer was better, and errors."""
    missed = [bar for bar in found if not bar.met and not math.isnan(bar.measured)]
    lines = [f"Missed: {bar.what}: {_figure(bar, bar.measured)}, the bar is {_limit(bar)}." for bar in missed]
    lines += [f"Not measured: {bar.what}." for bar in found if math.isnan(bar.measured)]
    for row in document["rows"]:
        if row["server"] == OURS.name:
            lines += _better(row, document["rows"])
        if row["errors"]:
            who = f"{row['server']} ({row['backend']}) at concurrency {row['concurrency']}"
            lines.append(f"{who}: {row['errors']} errors.")
    lines.append(
        "Our lanes run at niceness 10, the load generator and the peers at 0: where processors are short, "
        "the load generator and our event loop go before our lanes, while peers compute as its equals. What "
        "that changes, in latency above all, was not measured apart."
    )
    shares = [row["cpu_share"] for row in document["load_generator"]]
    lines.append(
        f"The load generator shares the processors with the servers: it took up to {max(shares):.0%} of one."
    )
    others = [row["other_cpu_share"] for row in document["load_generator"]]
    if max(others) > _QUIET:
        lines.append(
            f"The machine was not idle otherwise: something else took {max(others):.0%} of one processor in "
            f"the worst cell, {statistics.median(others):.0%} in the median one."
        )
    return lines


def _better(ours: Row, rows: Sequence[Row]) -> list[str]:
    measures = [
        ("rps", "requests/s", 1),
        ("p50_ms", "p50 ms", -1),
        ("p99_ms", "p99 ms", -1),
        ("cpu_ms_per_request", "CPU-ms per request", -1),
    ]
    if ours["concurrency"] == max(row["concurrency"] for row in rows):  # these are of the server: said once
        measures += [("rss_mb", "rss MB", -1), ("ready_s", "seconds to ready", -1)]
    return [
        f"{row['server']} ({row['backend']}) is better in {title} at concurrency {row['concurrency']}: "
        f"{row[value]:g} against {ours[value]:g}."
        for value, title, sign in measures
        for row in rows
        if row["server"] not in _NOT_PEERS
        and row["concurrency"] == ours["concurrency"]
        and None not in (row[value], ours[value])
        and sign * row[value] > sign * ours[value]
    ]


def _bar_row(bar: Bar) -> tuple[Any, ...]:
    known = [value for value in bar.rounds if not math.isnan(value)]
    rounds = f"{min(known):.2f} to {max(known):.2f}" if known else ""
    if missing := len(bar.rounds) - len(known):
        rounds = f"{rounds}, {missing} of {len(bar.rounds)} not measured".removeprefix(", ")
    verdict = "not measured" if math.isnan(bar.measured) else "yes" if bar.met else "**no**"
    return bar.what, _limit(bar), _figure(bar, bar.measured), rounds, verdict


def _limit(bar: Bar) -> str:
    return f"≥ {_figure(bar, bar.least)}" if bar.least > -math.inf else f"≤ {_figure(bar, bar.most)}"


def _figure(bar: Bar, value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.{0 if abs(value) >= 100 else 2}f} {bar.unit}".strip()


def _ms(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _soak(soak: Row | None) -> list[str]:
    if soak is None:
        return []
    return [
        "## Soak",
        f"After two minutes at concurrency 128, {soak['minutes']:g} minutes at concurrency 32: "
        f"{soak['requests']} answers, {soak['errors']} errors; the largest process held "
        f"{soak['start_mb']:.1f} MB at the beginning, {soak['end_mb']:.1f} MB at the "
        f"end; slope {soak['slope_mb_per_hour']:+.2f} ± {soak['slope_within']:.2f} MB/h (95%).",
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


if __name__ == "__main__":
    main()
