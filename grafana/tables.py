"""Panels of tables, comparisons and histograms."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders import barchart, common, heatmap, table
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale

from grafana.colours import COMPARED
from grafana.panels import common_parts, paint
from grafana.queries import Query
from grafana.targets import buckets, latest


def rows(
    title: str, description: str, unit: str, query: Query, *, columns: Mapping[str, str], width: int
) -> table.Panel:
    """Show the series that there are now as a table.

    Args:
        title: The panel's.
        description: What it shows and what to think of it.
        unit: Grafana's name of the values' unit.
        query: What to show.
        columns: The labels to show, in order, and their headings.
        width: In columns of 24.
    """
    panel = common_parts(table.Panel(), title, description, unit).targets(list(latest((query,))))
    panel.with_transformation(_keep(*columns))
    order = {name: place for place, name in enumerate(columns)}
    panel.with_transformation(
        DataTransformerConfig("organize", options={"indexByName": order, "renameByName": dict(columns)})
    )
    return panel.span(width).height(6).show_header(show_header=True)


def compare(
    title: str, description: str, unit: str, *queries: Query, by: str, width: int = 8
) -> barchart.Panel:
    """Show the newest values as groups of bars, a group for each value of the label `by`.

    A query's legend names its bars.
    """
    panel = common_parts(barchart.Panel(), title, description, unit).targets(list(latest(queries)))
    names = {f"Value #{letter}": query.legend for letter, query in zip("ABCDEFGHIJ", queries, strict=False)}
    panel.with_transformation(
        DataTransformerConfig("joinByField", options={"byField": by, "mode": "outer"})
    ).with_transformation(_keep(by, *names))
    panel.with_transformation(DataTransformerConfig("organize", options={"renameByName": names}))
    panel.with_transformation(DataTransformerConfig("sortBy", options={"sort": [{"field": by}]}))
    panel.x_field(by).orientation(VizOrientation.VERTICAL).show_value(VisibilityMode.NEVER).bar_width(0.9)
    panel.group_width(0.7).fill_opacity(85).line_width(0).min(0).span(width).height(8)
    panel.legend(
        common.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .calcs([])
    )
    return paint(panel, COMPARED)


def spread(title: str, description: str, unit: str, query: Query, *, width: int = 8) -> heatmap.Panel:
    """Show a histogram over time: the darker, the more often."""
    panel = common_parts(heatmap.Panel(), title, description, unit).targets(list(buckets(query)))
    panel.calculate(calculate=False).span(width).height(8).show_legend()
    panel.y_axis(heatmap.YAxisConfig().unit(unit))
    return panel.color(
        heatmap.HeatmapColorOptions()
        .mode(HeatmapColorMode.SCHEME)
        .scheme("Blues")
        .scale(HeatmapColorScale.EXPONENTIAL)
        .exponent(0.5)
        .steps(32)
        .reverse(reverse=False)
    )


def _keep(*columns: str) -> DataTransformerConfig:
    return DataTransformerConfig("filterFieldsByName", options={"include": {"names": list(columns)}})
