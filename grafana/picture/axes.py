"""Axes, grid and legend."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from matplotlib.axes import Axes

from grafana.picture import words
from grafana.picture.box import Box
from grafana.picture.style import EDGE, number
from grafana.picture.view import View

_SIZE = 7.5
_TICKS = 6
_STEPS = (60, 120, 300, 600, 1800, 3600, 10_800, 43_200, 86_400, 604_800, 10**9)


def over_time(box: Box, view: View, unit: str, *, below: float) -> Axes:
    """Return axes over the time that is shown, with `below` inches under them."""
    axes = box.axes(left=0.72, right=0.15, top=0.36, bottom=below)
    axes.set_xlim(view.start, view.end)
    apart = next(step for step in _STEPS if (view.end - view.start) / step <= _TICKS)
    ticks = np.arange(view.start // apart + 1, view.end // apart + 1) * apart
    axes.set_xticks(ticks, [f"{datetime.fromtimestamp(tick, UTC):%H:%M}" for tick in ticks])
    grid(axes, unit)
    return axes


def grid(axes: Axes, unit: str) -> None:
    """Draw horizontal lines and write the values at them with their unit."""
    axes.grid(axis="y", color=EDGE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter(lambda value, _: number(value, unit))


def legend(box: Box, inks: Mapping[str, str]) -> None:
    """Name the series below their chart, as many as have room."""
    x = 0.15
    for place, (name, ink) in enumerate(inks.items()):
        wide = words.width(name, _SIZE)
        if x + wide + 0.2 > box.width:
            box.text(x, box.height - 0.17, f"+{len(inks) - place}", size=_SIZE)
            return
        box.text(x, box.height - 0.17, "━", size=11, ink=ink, weight="bold")
        box.text(x + 0.17, box.height - 0.17, name, size=_SIZE)
        x += wide + 0.34
