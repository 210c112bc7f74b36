"""Panels that show how things went."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from grafana.picture.axes import legend, over_time
from grafana.picture.box import Box
from grafana.picture.source import Series
from grafana.picture.style import colour, number, of_series
from grafana.picture.view import Answers, View

# Where an axis ends at least, so that next to nothing does not look like something.
_LEAST = {"percentunit": 0.01, "s": 0.001, "none": 0.1}
_GAP_STEPS = 3  # that may lack before a line is broken


def timeseries(box: Box, panel: Mapping[str, Any], answers: Answers, view: View) -> None:
    """Draw lines, the thresholds that are near, and what happened meanwhile."""
    series = [each for _, found in answers for each in found if each.values]
    defaults = panel["fieldConfig"]["defaults"]
    inks = of_series(panel, [each.name for each in series])
    axes = over_time(box, view, defaults["unit"], below=0.55)
    if stacked := _is_stacked(defaults):
        _stack(axes, series, inks)
    for each in () if stacked else series:
        for times, values in _pieces(each):
            axes.plot(times, values, color=inks[each.name], linewidth=1.5, solid_capstyle="round")
    _limit(axes, defaults, [value for each in series for value in each.values])
    for mark in view.marks:
        axes.axvline(mark.time, color=mark.colour, linewidth=0.9, dashes=(2, 2), alpha=0.8)
    legend(box, inks)


def heatmap(box: Box, panel: Mapping[str, Any], answers: Answers, view: View) -> None:
    """Draw a histogram over time: the darker, the more."""
    ((_, found),) = answers
    series = sorted(found, key=lambda each: float(each.labels["le"]))
    times = sorted({time for each in series for time in each.times})
    counts = np.zeros((len(series), len(times)))
    for row, each in enumerate(series):
        counts[row, np.searchsorted(times, each.times)] = each.values
    shares = np.clip(np.diff(counts, axis=0, prepend=0), 0, None)
    axes = over_time(box, view, "short", below=0.32)
    axes.pcolormesh(times, np.arange(len(series)), np.sqrt(shares), cmap="Blues", rasterized=True)
    unit = panel["options"]["yAxis"]["unit"]
    bounds = [float(each.labels["le"]) for each in series]
    names = [number(bound, unit) if np.isfinite(bound) else "more" for bound in bounds]
    axes.set_yticks(np.arange(len(series)), names)
    axes.set_ylim(-0.5, len(series) - 0.5)
    axes.grid(visible=False)


def _limit(axes: Axes, defaults: Mapping[str, Any], values: Sequence[float]) -> None:
    """Let the axis begin at 0 and hold all values, and draw the thresholds that it reaches."""
    custom = defaults["custom"]
    highest = axes.get_ylim()[1] if _is_stacked(defaults) else max(values)
    top = 1.06 * max(highest, custom.get("axisSoftMax", 0), _LEAST.get(defaults["unit"], 1))
    axes.set_ylim(min(0, *values) - 0.02 * top, top)
    for step in defaults["thresholds"]["steps"][1:]:
        if "thresholdsStyle" in custom and step["value"] <= top:
            axes.axhline(step["value"], color=colour(step["color"]), linewidth=0.9, dashes=(4, 3))


def _is_stacked(defaults: Mapping[str, Any]) -> bool:
    return bool(defaults["custom"].get("stacking", {}).get("mode") == "normal")


def _stack(axes: Axes, series: Sequence[Series], inks: Mapping[str, str]) -> None:
    times = sorted({time for each in series for time in each.times})
    heights = np.zeros((len(series), len(times)))
    for row, each in enumerate(series):
        heights[row, np.searchsorted(times, each.times)] = each.values
    axes.stackplot(times, heights, colors=[inks[each.name] for each in series], alpha=0.75, linewidth=0)


def _pieces(series: Series) -> Iterator[tuple[list[float], list[float]]]:
    """Yield a line in pieces, as it is not drawn where there was nothing."""
    steps = [after - before for before, after in pairwise(series.times)]
    start = 0
    for place, step in enumerate(steps, start=1):
        if step > _GAP_STEPS * min(steps):
            yield series.times[start:place], series.values[start:place]
            start = place
    yield series.times[start:], series.values[start:]
