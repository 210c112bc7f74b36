"""What every dashboard promises whoever looks at it."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from grafana.generate import generate

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in generate().items()}
PANELS = [
    pytest.param(panel, id=f"{dashboard['uid']}: {panel['title']}")
    for dashboard in DASHBOARDS.values()
    for panel in dashboard["panels"]
]
SHOWN = [panel for panel in PANELS if panel.values[0]["type"] not in ("row", "text")]  # type: ignore[index]
COLUMNS = 24

every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS.keys())
every_shown_panel = pytest.mark.parametrize("panel", SHOWN)


def test_there_are_the_four() -> None:
    assert {name: dashboard["uid"] for name, dashboard in DASHBOARDS.items()} == {
        f"valence-{name}.json": f"valence-{name}" for name in ("service", "engine", "model", "release")
    }


@every_dashboard
def test_it_begins_with_what_to_look_at_first(dashboard: dict[str, Any]) -> None:
    first = dashboard["panels"][0]
    assert (first["type"], first["title"]) == ("text", "Look here first")
    assert first["gridPos"] == {"x": 0, "y": 0, "w": COLUMNS, "h": 4}
    assert [line[:5] for line in first["options"]["content"].splitlines()] == ["1. **", "2. **", "3. **"]


@every_dashboard
def test_the_headings_are_the_questions_of_the_text_in_their_order(dashboard: dict[str, Any]) -> None:
    text, *panels = dashboard["panels"]
    asked = [line.split("**")[1] for line in text["options"]["content"].splitlines()]
    headings = [panel["title"].partition(" (")[0] for panel in panels if panel["type"] == "row"]
    assert headings == asked


@every_dashboard
def test_ids_and_titles_are_unique(dashboard: dict[str, Any]) -> None:
    for key in ("id", "title"):
        values = [panel[key] for panel in dashboard["panels"]]
        assert len(values) == len(set(values)), key


@every_dashboard
def test_the_grid_has_no_overlaps_and_no_gaps(dashboard: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    high = max(y for _, y in taken) + 1
    assert set(taken) == {(x, y) for x in range(COLUMNS) for y in range(high)}


@every_dashboard
def test_it_can_be_turned_to_a_release_and_a_version(dashboard: dict[str, Any]) -> None:
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "release", "model_version"]
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["model_version"]["multi"]
    assert variables["model_version"]["current"]["value"] == "$__all"
    for before, after in pairwise(variables):
        if after not in ("namespace", "model_version"):
            assert f"${before}" in json.dumps(variables[after])
        assert after == "datasource" or variables[after]["datasource"]["uid"] == "${datasource}"


@every_dashboard
def test_it_leads_to_the_others_and_to_nothing_that_may_not_be_there(dashboard: dict[str, Any]) -> None:
    """Where the documents can be read is known in the chart alone; `tests/helm` holds what it makes of it."""
    (others,) = dashboard["links"]
    assert others["type"] == "dashboards"
    assert others["includeVars"]
    assert others["keepTime"]
    assert set(others["tags"]) <= set(dashboard["tags"])


@pytest.mark.parametrize("name", DASHBOARDS)
def test_in_the_chart_it_leads_to_the_documents_besides(name: str) -> None:
    whole = json.loads(generate(documents=True)[name])
    *others, runbooks, dashboards = whole["links"]
    assert whole | {"links": others} == DASHBOARDS[name]
    assert [link["url"] for link in (runbooks, dashboards)] == ["docs/runbooks.md", "docs/dashboards.md"]
    assert all((ROOT / link["url"]).exists() for link in (runbooks, dashboards))


@every_dashboard
def test_rollouts_of_model_and_code_are_marked(dashboard: dict[str, Any]) -> None:
    marked = {each["name"]: each["expr"] for each in dashboard["annotations"]["list"]}
    assert set(marked) == {"Model", "Code"}
    assert "valence_model_info" in marked["Model"]
    assert "valence_build_info" in marked["Code"]


@every_shown_panel
def test_a_panel_says_what_it_shows_in_which_unit(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 10
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("panel", [each for each in SHOWN if each.values[0]["type"] in ("stat", "bargauge")])  # type: ignore[index]
def test_a_number_is_of_now(panel: dict[str, Any]) -> None:
    """And not the last that there was in the time that is shown."""
    assert [target["instant"] for target in panel["targets"]] == [True]
    assert not any(target.get("range") for target in panel["targets"])


@every_shown_panel
def test_thresholds_are_ours_and_rise(panel: dict[str, Any]) -> None:
    """Grafana's own default is red from 80 on, whatever is shown."""
    base, *steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert base["value"] is None
    assert all(before["value"] < after["value"] for before, after in pairwise(steps))


def test_a_sentiment_has_one_colour_wherever_it_is_shown() -> None:
    panels = DASHBOARDS["valence-model.json"]["panels"]
    (says,) = (panel for panel in panels if panel["title"] == "What it says")
    colours = {
        override["matcher"]["options"]: override["properties"][0]["value"]["fixedColor"]
        for override in says["fieldConfig"]["overrides"]
    }
    assert colours.items() >= {"positive": "green", "negative": "red"}.items()
    assert colours["neutral"] == "#8e8e8e"
