"""A whole dashboard on one page, every panel in its place on the grid."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from matplotlib.figure import Figure

from grafana.asked import of_panel, queries
from grafana.picture import charts, courses, words
from grafana.picture.box import Box
from grafana.picture.source import Source
from grafana.picture.style import FAINT, PAGE, colour
from grafana.picture.view import Answers, Mark, View

_COLUMN, _ROW, _HEAD, _GAP = 0.62, 0.31, 0.92, 0.05  # inches
_COLUMNS = 24
_LONG_S = 240  # without a value, after which an annotation begins anew
_KINDS: dict[str, Callable[[Box, Mapping[str, Any], Answers, View], None]] = {
    "stat": charts.stat,
    "bargauge": charts.bargauge,
    "barchart": charts.barchart,
    "table": charts.table,
    "timeseries": courses.timeseries,
    "heatmap": courses.heatmap,
}


def draw(dashboard: Mapping[str, Any], source: Source) -> Figure:
    """Draw a dashboard.

    Raises:
        SourceError: A query was not answered.
    """
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    width, height = _COLUMN * _COLUMNS + 2 * _GAP, _ROW * rows + _HEAD + _GAP
    figure = Figure(figsize=(width, height), facecolor=PAGE)
    marks = _marks(dashboard, source)
    _head(Box(figure, _GAP, height - _HEAD, width - 2 * _GAP, _HEAD), dashboard, source, marks)
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        box = Box(
            figure,
            _GAP + place["x"] * _COLUMN,
            height - _HEAD - (place["y"] + place["h"]) * _ROW,
            place["w"] * _COLUMN,
            place["h"] * _ROW,
        )
        _panel(box, panel, source, marks)
    return figure


def _head(box: Box, dashboard: Mapping[str, Any], source: Source, marks: list[Mark]) -> None:
    since, until = (datetime.fromtimestamp(time, UTC) for time in (source.start, source.end))
    box.text(0.1, 0.22, dashboard["title"], size=15, weight="bold")
    box.text(box.width - 0.1, 0.22, dashboard["description"], size=11, align="right")
    chosen = ", ".join(f"{name} {source.variables[name]}" for name in ("namespace", "release"))
    box.text(
        0.1,
        0.52,
        "A picture drawn from queried data by `python -m grafana.picture`, not a screenshot of Grafana: "
        f"{chosen}, {since:%Y-%m-%d %H:%M} to {until:%H:%M} UTC.",
        size=8.5,
        ink=FAINT,
    )
    x = 0.1
    for mark in marks:
        says = f"┆ {datetime.fromtimestamp(mark.time, UTC):%H:%M} {mark.says}"
        box.text(x, 0.74, says, size=8.5, ink=mark.colour)
        x += words.width(says, 8.5) + 0.3


def _marks(dashboard: Mapping[str, Any], source: Source) -> list[Mark]:
    """Return when each annotation began to hold, of those after the first minutes that are shown."""
    colours = {each["name"]: colour(each["iconColor"]) for each in dashboard["annotations"]["list"]}
    found = []
    for asked in (each for each in queries(dashboard) if not each.ref):
        for series in source.ask(asked):
            begins = [
                time
                for time, before in zip(series.times, [-1e9, *series.times], strict=False)
                if time - before > _LONG_S
            ]
            found += [Mark(time, series.name, colours[asked.title]) for time in begins]
    return sorted(found)


def _panel(box: Box, panel: Mapping[str, Any], source: Source, marks: list[Mark]) -> None:
    if panel["type"] == "row":
        box.text(0.08, box.height / 2, panel["title"], size=11, weight="bold")
        return
    box.frame()
    box.text(0.1, 0.15, panel["title"], size=8.5, weight="bold")
    if panel["type"] == "text":
        words.markdown(box, panel["options"]["content"])
        return
    answers = [(asked, source.ask(asked)) for asked in of_panel(panel)]
    if not any(series.values for _, found in answers for series in found):
        box.text(box.width / 2, box.height / 2, "no data", size=9, ink=FAINT, align="center")
        return
    _KINDS[panel["type"]](box, panel, answers, View(source.start, source.end, marks))
