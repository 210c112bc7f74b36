"""Alerts: those of the SLOs, by how fast their budgets burn, and the others as the source has them."""

import math
from collections.abc import Iterator
from typing import Any

from prometheus.durations import seconds
from prometheus.source import Burn, Slo, Source

Rule = dict[str, Any]

_RUNBOOKS = "docs/runbooks.md"  # the chart puts `monitoring.docsUrl` in the place of docs
_HERE = "var-namespace={{ $labels.namespace }}&var-release={{ $labels.release }}"


def burn_alerts(source: Source, scale: int) -> Iterator[Rule]:
    """Yield the alerts of the SLOs.

    Args:
        source: What they are made of.
        scale: By what windows will be divided; the requests in a window follow from its length.
    """
    for slo in source.slos:
        for burn in source.burns:
            yield _burn(source, slo, burn, scale)


def other_alerts(source: Source) -> Iterator[Rule]:
    """Yield the alerts that are no SLO's."""
    for alert in source.alerts:
        yield {
            "alert": alert.alert,
            "expr": alert.expr,
            "for": alert.wait,
            "labels": {"severity": alert.severity},
            "annotations": {
                "summary": alert.summary,
                "description": alert.description,
                **_links(alert.alert, alert.dashboard),
            },
        }


def _burn(source: Source, slo: Slo, burn: Burn, scale: int) -> Rule:
    of_slo = f'{{slo="{slo.name}"}}'
    allowed = round(1 - slo.objective, 6)
    limit = f"{burn.rate:g} * {allowed:g}"
    requests = max(source.minimum_requests, math.ceil(round(1 / (burn.rate * allowed), 6)))
    long_s = round(seconds(burn.long) / scale)
    expr = (
        f"valence:slo_errors:ratio_rate{burn.long}{of_slo} > {limit}\n"
        f"and valence:slo_errors:ratio_rate{burn.short}{of_slo} > {limit}\n"
        f"and valence:slo_requests:rate{burn.long}{of_slo} * {long_s} >= {requests}"
    )
    share = "{{ $value | humanizePercentage }}"
    return {
        "alert": slo.alert,
        "expr": expr,
        "for": burn.wait,
        "labels": {"severity": burn.severity, "slo": slo.name, "burn_rate": f"{burn.rate:g}"},
        "annotations": {
            "summary": f"{{{{ $labels.release }}}}: {slo.what}",
            "description": (
                f"{share} over {burn.long}, where {100 * allowed:g}% is allowed over "
                f"{source.budget}: the error budget burns {burn.rate:g} times as fast as it may, or faster."
            ),
            **_links(slo.alert, "valence-service"),
        },
    }


def _links(alert: str, dashboard: str) -> dict[str, str]:
    return {
        "runbook_url": f"{_RUNBOOKS}#{alert.lower()}",
        "dashboard": f"/d/{dashboard}?{_HERE}",
    }
