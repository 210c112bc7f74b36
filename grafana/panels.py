"""Panels of numbers and lines. None without title, description and unit."""

from collections.abc import Mapping
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    common,
    dashboard,
    heatmap,
    stat,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.text import TextMode

from grafana.colours import PLAIN
from grafana.queries import Query
from grafana.targets import SOURCE, now, over_time

Limits = tuple[tuple[float, str], ...]
"""From which value on, which colour."""
Panel = TypeVar(
    "Panel", stat.Panel, timeseries.Panel, bargauge.Panel, barchart.Panel, heatmap.Panel, table.Panel
)


def first(content: str) -> text.Panel:
    """Say what to look at first."""
    panel = text.Panel().title("Look here first").mode(TextMode.MARKDOWN).content(content)
    return panel.description("What this dashboard answers, in the order in which to ask.").span(24).height(4)


def number(
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    limits: Limits = (),
    base: str = PLAIN,
    decimals: int | None = None,
    names: bool = False,
) -> stat.Panel:
    """Show the value of now, its colour by the limits.

    It has no course behind it: for that Grafana would take the last value of the time that is shown, and show
    what a service was like before it went away.

    Args:
        title: The panel's.
        description: What it shows and what to think of it.
        unit: Grafana's name of the unit.
        query: One series, or several where `names` is set.
        limits: From which value on, which colour.
        base: The colour below all limits.
        decimals: How many to show; None: as many as seem needed.
        names: Whether to show the series' names instead of their values.
    """
    panel = common_parts(stat.Panel(), title, description, unit, limits=limits, base=base)
    panel.targets(list(now(query))).span(4).height(4)
    panel.color_mode(BigValueColorMode.VALUE).reduce_options(_newest())
    panel.text_mode(BigValueTextMode.NAME if names else BigValueTextMode.VALUE)
    panel.graph_mode(BigValueGraphMode.NONE)
    return panel if decimals is None else panel.decimals(decimals)


def lines(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    limits: Limits = (),
    colours: Mapping[str, str] | None = None,
    stacked: bool = False,
    maximum: float | None = None,
    width: int = 8,
    height: int = 8,
) -> timeseries.Panel:
    """Show series over time, and the limits as dashed lines.

    Args:
        title: The panel's.
        description: What it shows and what to think of it.
        unit: Grafana's name of the unit.
        queries: What to show.
        limits: From which value on, which colour.
        colours: Colours of series by name; the others' follow from their names.
        stacked: Whether the series add up to a whole.
        maximum: Where the axis ends, at least.
        width: In columns of 24.
        height: In rows of the grid.
    """
    panel = common_parts(timeseries.Panel(), title, description, unit, limits=limits)
    panel.targets(list(over_time(queries))).span(width).height(height)
    panel.axis_soft_min(0).line_width(2).show_points(VisibilityMode.NEVER).fill_opacity(70 if stacked else 0)
    panel.legend(
        common.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .calcs([])
    )
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    if limits:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if maximum is not None:
        panel.axis_soft_max(maximum)
    return paint(panel, colours or {})


def bars(
    title: str, description: str, unit: str, query: Query, *, limits: Limits, base: str, width: int = 8
) -> bargauge.Panel:
    """Show the value that each series has now as a bar from 0 to 1, its colour by the limits."""
    panel = common_parts(bargauge.Panel(), title, description, unit, limits=limits, base=base)
    panel.targets(list(now(query))).span(width).height(8).min(0).max(1)
    panel.orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC)
    return panel.reduce_options(_newest())


def common_parts(
    panel: Panel, title: str, description: str, unit: str, *, limits: Limits = (), base: str = PLAIN
) -> Panel:
    """Set what panels of all kinds have."""
    steps = [Threshold(None, base), *(Threshold(value, colour) for value, colour in limits)]
    by = FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    if isinstance(panel, stat.Panel | bargauge.Panel | table.Panel):
        by = FieldColorModeId.THRESHOLDS
    panel.title(title).description(description).unit(unit).datasource(SOURCE)
    panel.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    panel.color_scheme(dashboard.FieldColor().mode(by))
    return panel


def paint(panel: Panel, colours: Mapping[str, str]) -> Panel:
    """Give series their colours by name."""
    for name, colour in colours.items():
        fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
        panel.override_by_name(name, [fixed])
    return panel


def _newest() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(values=False)
