"""What a generated dashboard asks Prometheus."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_VARIABLE = re.compile(r"\$(?:\{([a-z_]+)\}|([a-z_]+))")  # `$1` is a group of a label_replace


class Asked(NamedTuple):
    """One query of a panel; an annotation's has no panel."""

    title: str
    ref: str
    expr: str
    legend: str
    instant: bool


def queries(dashboard: Mapping[str, Any]) -> Iterator[Asked]:
    """Yield every query of a dashboard's panels and annotations."""
    for panel in dashboard["panels"]:
        yield from of_panel(panel)
    for annotation in dashboard["annotations"]["list"]:
        yield Asked(annotation["name"], "", annotation["expr"], annotation["titleFormat"], instant=False)


def of_panel(panel: Mapping[str, Any]) -> Iterator[Asked]:
    """Yield a panel's queries."""
    for target in panel.get("targets", []):
        legend = target.get("legendFormat", "")
        yield Asked(panel["title"], target["refId"], target["expr"], legend, bool(target.get("instant")))


def fill(expr: str, variables: Mapping[str, str]) -> str:
    """Put values in the place of variables.

    Raises:
        KeyError: A variable has no value.
    """
    return _VARIABLE.sub(lambda found: variables[found[1] or found[2]], expr)


def variables(namespace: str, release: str, *, rate: str = "1m", over: str = "1h") -> dict[str, str]:
    """Return values for all variables that dashboards use, all versions of the model being chosen.

    Args:
        namespace: Of the release.
        release: Its name.
        rate: What Grafana would take for `$__rate_interval`: four scrapes.
        over: The time that is shown.
    """
    given = {"namespace": namespace, "release": release, "model_version": ".*"}
    return given | {"__rate_interval": rate, "__range": over}
