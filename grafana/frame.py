"""What all dashboards have: variables, rollouts as annotations, links to each other and to the documents."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana.queries import of
from grafana.targets import SOURCE

Panels = Sequence[Builder[dashboard.Panel]]
TAG = "valence"
_NEW_FOR = "2m"  # that a version counts as one that has just begun


def frame(
    uid: str,
    title: str,
    description: str,
    look_here: Builder[dashboard.Panel],
    *sections: tuple[str, Panels],
) -> dashboard.Dashboard:
    """Put a dashboard together.

    Args:
        uid: Its address in Grafana, and the name of its file.
        title: Its name.
        description: The question that it answers.
        look_here: What stands on top.
        sections: Headings, and the panels below each, from left to right in rows of 24 columns.
    """
    made = build.Dashboard(title).uid(uid).description(description).tags([TAG]).readonly()
    made.time("now-1h", "now").refresh("30s").timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR)
    made.variables(_variables()).annotations(_rollouts()).links([_others()])
    made.with_panel(look_here)
    for heading, panels in sections:
        if heading:
            made.with_row(build.Row(heading))
        for each in panels:
            made.with_panel(each)
    whole = made.build()
    for variable in whole.templating.list_val or []:
        # The SDK gives every variable what only those of intervals have.
        variable.auto = variable.auto_min = variable.auto_count = None
    for number, panel in enumerate(whole.panels or [], start=1):
        panel.id_val = number
    return whole


def link_documents(made: dashboard.Dashboard) -> None:
    """Add links to the documents, by their paths in the repository: of use where these are made addresses."""
    made.links = [
        *(made.links or []),
        _document("Runbooks", "docs/runbooks.md", "What each alert means and what to do"),
        _document("What is shown", "docs/dashboards.md", "Which question each dashboard answers"),
    ]


class _Rollout(build.AnnotationQuery):
    """An annotation query with what Prometheus's data source reads besides."""

    def __init__(self, name: str, colour: str, expr: str, says: str) -> None:
        super().__init__()
        self.name(name).datasource(SOURCE).enable(enable=True).icon_color(colour).expr(expr)
        self._says = says

    def build(self) -> dashboard.AnnotationQuery:
        return _Described(self._says, super().build())


class _Described(dashboard.AnnotationQuery):
    def __init__(self, says: str, plain: dashboard.AnnotationQuery) -> None:
        super().__init__()
        self.__dict__.update(plain.__dict__)
        self._says = says

    def to_json(self) -> dict[str, object]:
        return super().to_json() | {"titleFormat": self._says, "step": "60s"}


def _rollouts() -> list[Builder[dashboard.AnnotationQuery]]:
    return [
        _Rollout("Model", "purple", _began("valence_model_info"), "model version {{version}} began to serve"),
        _Rollout("Code", "blue", _began("valence_build_info"), "code {{version}} began to serve"),
    ]


def _began(info: str) -> str:
    """Give a value for the first minutes in which a version is served anywhere in the release."""
    now = f"count by (version) ({of(info)} == 1)"
    return f"{now} unless count by (version) ({of(info)} offset {_NEW_FOR} == 1)"


def _variables() -> list[Builder[dashboard.VariableModel]]:
    everything = VariableOption(selected=True, text="All", value="$__all")
    return [
        build.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
        _label("namespace", "Namespace", "valence_build_info"),
        _label("release", "Release", 'valence_build_info{namespace="$namespace"}'),
        _label("model_version", "Model version", of("valence_model_info"), label="version")
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(everything),
    ]


def _label(name: str, title: str, series: str, label: str | None = None) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(title)
        .datasource(SOURCE)
        .query(f"label_values({series}, {label or name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
    )


def _others() -> build.DashboardLink:
    link = build.DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.include_vars(include_vars=True).keep_time(keep_time=True)


def _document(title: str, path: str, tooltip: str) -> dashboard.DashboardLink:
    link = build.DashboardLink(title).type(DashboardLinkType.LINK).icon("doc").tooltip(tooltip)
    return link.url(path).target_blank(target_blank=True).build()
