"""Queries as panels hold them."""

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.queries import Query

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_NAMES = "ABCDEFGHIJ"


def over_time(queries: tuple[Query, ...]) -> list[Dataquery]:
    """Ask for every series over the time that is shown."""
    return [_target(name, query).range() for name, query in zip(_NAMES, queries, strict=False)]


def now(query: Query) -> list[Dataquery]:
    """Ask for the values that there are now; of what has ended there is none."""
    return [_target("A", query).instant()]


def latest(queries: tuple[Query, ...]) -> list[Dataquery]:
    """Ask for the newest values, as tables with a column for each label."""
    return [
        _target(name, query).instant().format(PromQueryFormat.TABLE)
        for name, query in zip(_NAMES, queries, strict=False)
    ]


def buckets(query: Query) -> list[Dataquery]:
    """Ask for a histogram's buckets over time."""
    return [_target("A", query).range().format(PromQueryFormat.HEATMAP)]


def _target(name: str, query: Query) -> Dataquery:
    return Dataquery().ref_id(name).expr(query.expr).legend_format(query.legend)
