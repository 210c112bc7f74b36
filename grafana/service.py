"""Service: are users hurt, since when, and by what?"""

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.colours import BAD, GOOD, QUANTILE, SLO, WARN
from grafana.frame import Panels, frame
from grafana.panels import bars, first, lines, number
from grafana.queries import DONE, USERS, Query, of, rate
from grafana.tables import spread

_LOOK = """\
1. **Are users hurt?** An alert that fires has a runbook of its name in docs/runbooks.md. A budget \
that burns at **14.4** is gone in two days, at 1 it lasts its 30.
2. **By what?** Which codes, which route, everybody or the slowest hundredth. If it began at a \
dashed line, a rollout did it: *Release* says of which version, and going back comes first.
3. **Is it full?** From **100%** on more is asked for than the pods can do, and 429 is right: more \
pods first, then *Engine*.
"""
_FIRING = 'alertstate="firing"'
_PREDICT = 'route="/predict"'
_BURN = ((1.0, WARN), (14.4, BAD))
FULL = ((0.8, WARN), (1.0, BAD))


def service() -> Dashboard:
    """Return the dashboard."""
    return frame(
        "valence-service",
        "Valence / Service",
        "Are users hurt, since when, and by what?",
        first(_LOOK),
        ("", _glance()),
        ("Are users hurt?", _promises()),
        ("By what?", _requests()),
        ("Is it full?", _saturation()),
    )


def _glance() -> Panels:
    firing = f"count({of('ALERTS', _FIRING)})"
    return [
        number(
            "Alerts that fire",
            "Alerts of this release that fire now. Each has a runbook of its name.",
            "short",
            Query(f"{firing} or sum({of('valence_build_info')}) * 0", "alerts"),
            base=GOOD,
            limits=((1, BAD),),
        ),
        number(
            "Predictions asked for",
            "Requests to /predict and /predict/batch in a second, whatever was answered.",
            "reqps",
            Query(f"sum({of('valence:requests:rate5m', USERS)})", "requests"),
        ),
        _kept("Answered", "availability", "that did not fail through our fault", 0.999),
        _kept("Within 100 ms", "latency-100ms", "to /predict that were answered within 100 ms", 0.95),
        _kept("Within 300 ms", "latency-300ms", "to /predict that were answered within 300 ms", 0.99),
        number(
            "Capacity used",
            "Tokens asked for over what can be scored, of the busiest worker. From 100% on requests are "
            "turned away.",
            "percentunit",
            Query(f"max({of('valence_capacity_used_ratio')})", "used"),
            base=GOOD,
            limits=FULL,
        ),
    ]


def _kept(title: str, slo: str, which: str, promised: float) -> stat.Panel:
    failed = of("valence:slo_errors:ratio_rate5m", f'slo="{slo}"')
    return number(
        title,
        f"Share of requests {which}, over 5 minutes. Promised over 30 days: {promised:.1%}.",
        "percentunit",
        Query(f"1 - {failed}", slo),
        base=BAD,
        limits=((promised, GOOD),),
        decimals=2,
    )


def _promises() -> Panels:
    fired = "count by (alertname) (" + of("ALERTS", _FIRING) + ")"
    none = f'label_replace(0 * sum({of("valence_build_info")}), "alertname", "none", "", "")'
    return [
        bars(
            "Error budget left",
            "What is left of the failures that each promise allows in 30 days. 100%: untouched; at 0 the "
            "promise "
            "is broken. Below a quarter, release nothing risky.",
            "percentunit",
            Query(of("valence:slo_error_budget_left:ratio"), "{{slo}}"),
            base=BAD,
            limits=((0.25, WARN), (0.5, GOOD)),
            width=6,
        ),
        _burning("Budget burns, over 1 hour", "1h", "What happens? Pages begin at 14.4."),
        _burning("Budget burns, over 5 minutes", "5m", "Does it still happen? It falls first when it ends."),
        lines(
            "Alerts that fired",
            "When which alert fired. The runbook of each is named like it.",
            "short",
            Query(f"{fired} or on () {none}", "{{alertname}}"),
            colours={"none": "#8e8e8e"},
            width=6,
        ),
    ]


def _burning(title: str, window: str, asks: str) -> timeseries.Panel:
    allowed = f"(1 - {of('valence:slo_objective:ratio')})"
    errors = of(f"valence:slo_errors:ratio_rate{window}")
    return lines(
        title,
        f"{asks} How many times faster than allowed the budget is spent: at 1 it lasts for its 30 days.",
        "none",
        Query(f"{errors} / on (namespace, release, slo) {allowed}", "{{slo}}"),
        limits=_BURN,
        colours=SLO,
        width=6,
    )


def _requests() -> Panels:
    failed = "sum by (code) (" + of("valence:requests:rate5m", 'code!~"2..|3.."') + ")"
    took = rate("valence_request_duration_seconds_bucket", _PREDICT, DONE)
    return [
        lines(
            "Requests by route",
            "Answers in a second. `unmatched` is every path that is none of ours.",
            "reqps",
            Query(f"sum by (route) ({of('valence:requests:rate5m')})", "{{route}}"),
        ),
        lines(
            "Not answered as asked, by code",
            "Answers in a second. 4xx: the caller's doing, but 429 (full) is ours and 499 is a caller who"
            " left. "
            "5xx: ours. 504: too late for the caller's own deadline.",
            "reqps",
            Query(failed, "{{code}}"),
            colours={"429": WARN, "499": "yellow", "500": BAD, "503": "dark-red", "504": "dark-orange"},
        ),
        lines(
            "Time to answer /predict",
            "Half of the results, 95 and 99 of 100 are quicker; refusals do not count. Promised: 95 of 100 "
            "within 100 ms, 99 within 300.",
            "s",
            *(
                Query(of(f"valence:request_duration_seconds:{quantile}_5m", _PREDICT), quantile)
                for quantile in QUANTILE
            ),
            limits=((0.1, WARN), (0.3, BAD)),
            colours=QUANTILE,
        ),
        spread(
            "How long answers to /predict take",
            "Every result by its duration; the darker, the more. Two bands: two kinds of texts, or of pods.",
            "s",
            Query(f"sum by (le) ({took})", "{{le}}"),
            width=16,
        ),
        lines(
            "p95 by route",
            "95 of 100 results are quicker; refusals do not count.",
            "s",
            Query(of("valence:request_duration_seconds:p95_5m", USERS), "{{route}}"),
        ),
    ]


def _saturation() -> Panels:
    refused = f"sum by (reason) ({rate('valence_rejected_total')})"
    return [
        lines(
            "Capacity used, by pod",
            "Tokens asked for over what the busiest worker of a pod can score. The autoscaler looks at "
            "this too.",
            "percentunit",
            Query(of("valence_capacity_used_ratio"), "{{pod}}"),
            limits=FULL,
            maximum=1,
        ),
        lines(
            "Texts that wait",
            "Texts admitted that no lane has taken yet. Steadily above 0: full, or nearly.",
            "short",
            Query(f"sum({of('valence_queue_texts')})", "all pods"),
        ),
        lines(
            "Turned away, by reason",
            "Requests in a second. queue_full: the wait would be over the budget; deadline: over the "
            "caller's.",
            "reqps",
            Query(refused, "{{reason}}"),
            colours={"queue_full": WARN, "deadline": "dark-orange"},
        ),
    ]
