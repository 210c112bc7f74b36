"""Panels that show how things are now."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from grafana.picture.axes import grid, legend
from grafana.picture.box import Box
from grafana.picture.style import FAINT, INK, number, of_series, of_value
from grafana.picture.view import Answers, View


def stat(box: Box, panel: Mapping[str, Any], answers: Answers, _view: View) -> None:
    """Draw a number, or the names of the series that there are."""
    series = [each for _, found in answers for each in found]
    if panel["options"]["textMode"] == "name":
        names = ", ".join(each.name for each in series)
        box.text(box.width / 2, box.height * 0.55, names, size=15, weight="bold", align="center")
        return
    (line,) = series
    defaults = panel["fieldConfig"]["defaults"]
    ink = of_value(panel, line.values[-1])
    says = number(line.values[-1], defaults["unit"], defaults.get("decimals"))
    box.text(box.width / 2, box.height * 0.55, says, size=19, weight="bold", ink=ink, align="center")


def bargauge(box: Box, panel: Mapping[str, Any], answers: Answers, _view: View) -> None:
    """Draw a bar from 0 to 1 for each series."""
    series = [each for _, found in answers for each in found]
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes = box.axes(left=0.15, right=0.85, top=0.4, bottom=0.2)
    for place, each in enumerate(reversed(series)):
        value = each.values[-1]
        ink = of_value(panel, value)
        axes.barh(place, 1, height=0.4, color="#eef0f1")
        axes.barh(place, max(value, 0), height=0.4, color=ink)
        axes.text(0, place + 0.34, each.name, fontsize=8, color=INK, va="center")
        axes.text(1.03, place, number(value, unit), fontsize=10, color=ink, va="center", weight="bold")
    axes.set(xlim=(0, 1), ylim=(-0.5, len(series) - 0.4), xticks=[], yticks=[])


def barchart(box: Box, panel: Mapping[str, Any], answers: Answers, _view: View) -> None:
    """Draw a group of bars for each bucket."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    by = panel["options"]["xField"]
    shown = [(asked.legend, {each.labels[by]: each.values[-1] for each in found}) for asked, found in answers]
    groups = sorted({name for _, values in shown for name in values})
    inks = of_series(panel, [name for name, _ in shown])
    axes = box.axes(left=0.5, right=0.15, top=0.4, bottom=0.55)
    for place, (name, values) in enumerate(shown):
        at = np.arange(len(groups)) + (place - (len(shown) - 1) / 2) * 0.36
        axes.bar(at, [values.get(group, 0) for group in groups], 0.32, color=inks[name])
    axes.set_xticks(range(len(groups)), [group.strip() for group in groups])
    grid(axes, unit)
    legend(box, inks)


def table(box: Box, panel: Mapping[str, Any], answers: Answers, _view: View) -> None:
    """Write a row for each series, under the headings."""
    ((_, found),) = answers
    organised = panel["transformations"][-1]["options"]
    order = sorted(organised["indexByName"], key=organised["indexByName"].get)
    headings = {label: organised["renameByName"][label] for label in order}
    step = (box.width - 0.3) / len(headings)
    for column, (label, heading) in enumerate(headings.items()):
        box.text(0.15 + column * step, 0.5, heading, size=8.5, weight="bold", ink=FAINT)
        for row, series in enumerate(sorted(found, key=lambda each: each.labels["pod"])):
            says = series.labels.get(label, "")
            says = says if len(says) <= 24 else f"{says[:22]}…"
            box.text(0.15 + column * step, 0.8 + 0.28 * row, says, size=9)
