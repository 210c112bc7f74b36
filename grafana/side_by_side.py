"""Panels that stand on more than one dashboard: versions of the model side by side."""

from grafana_foundation_sdk.builders import timeseries

from grafana.colours import BAD, WARN
from grafana.panels import lines
from grafana.queries import Query, answered_by_version, slowest_by_version


def failed() -> timeseries.Panel:
    """Return what share of each version's predictions failed."""
    return lines(
        "Failed, by version",
        "Share of predictions asked for that ended in 5xx.",
        "percentunit",
        Query(answered_by_version("5.."), "version {{version}}"),
        limits=((0.001, WARN), (0.01, BAD)),
    )


def slowest() -> timeseries.Panel:
    """Return how quick each version is for all but the slowest."""
    return lines(
        "p95 of /predict, by version",
        "95 of 100 results are quicker; refusals do not count.",
        "s",
        Query(slowest_by_version(), "version {{version}}"),
        limits=((0.1, WARN), (0.3, BAD)),
    )
