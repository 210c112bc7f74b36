"""Recording rules: what dashboards and alerts share, computed once."""

from collections.abc import Iterator
from typing import Any

from prometheus.durations import seconds
from prometheus.source import Slo, Source

Rule = dict[str, Any]

_SHORTEST = "5m"
_BY = "sum by (namespace, release)"


def windows(source: Source) -> list[str]:
    """Return the windows over which errors are recorded, shortest first."""
    return sorted({window for burn in source.burns for window in (burn.long, burn.short)}, key=seconds)


def record_window(source: Source, window: str) -> list[Rule]:
    """Return what is recorded of every SLO over one window."""
    return [rule for slo in source.slos for rule in _of_slo(slo, window)]


def record_budgets(source: Source) -> list[Rule]:
    """Return objectives, and what is left of the budgets."""
    objectives = [
        {
            "record": "valence:slo_objective:ratio",
            "expr": f"group by (namespace, release) (valence_build_info) * {slo.objective}",
            "labels": {"slo": slo.name},
        }
        for slo in source.slos
    ]
    # Of the recorded rates, as a month of raw series is too much to read.
    spent = (
        f"sum_over_time(valence:slo_errors:rate{_SHORTEST}[{source.budget}])\n"
        f"/ (sum_over_time(valence:slo_requests:rate{_SHORTEST}[{source.budget}]) > 0)"
    )
    left = f"1 - (\n{_indent(spent)}\n) / (1 - valence:slo_objective:ratio)"
    return [*objectives, {"record": "valence:slo_error_budget_left:ratio", "expr": left}]


def _of_slo(slo: Slo, window: str) -> Iterator[Rule]:
    labels = {"slo": slo.name}
    requests = _rate(slo.requests, window)
    errors = _rate(slo.errors, window) if slo.errors else f"{requests}\n- {_rate(slo.good, window)}"
    yield {"record": f"valence:slo_requests:rate{window}", "expr": requests, "labels": labels}
    if window == _SHORTEST:
        yield {"record": f"valence:slo_errors:rate{window}", "expr": errors, "labels": labels}
    ratio = f"(\n{_indent(errors)}\n)\n/ ({requests} > 0)"
    yield {"record": f"valence:slo_errors:ratio_rate{window}", "expr": ratio, "labels": labels}


def _rate(selector: str, window: str) -> str:
    return f"{_BY} (rate({selector}[{window}]))"


def _indent(expr: str) -> str:
    return "\n".join("  " + line for line in expr.splitlines())
