"""What docs/observability.md and docs/runbooks.md say is so."""

import re

import pytest
import yaml

from bento.metrics import markdown_table
from tests.prometheus.rules import FOLDER, OTHERS, ROOT, exposed, metrics_of, recorded

OBSERVABILITY = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
START, END = "<!-- metrics: python -m bento.metrics -->\n", "\n<!-- end of metrics -->"
QUERIES = re.findall(r"```promql\n(.*?)\n```", RUNBOOKS, re.DOTALL)


def test_the_table_of_metrics_is_fresh() -> None:
    table = OBSERVABILITY.partition(START)[2].partition(END)[0]
    assert table == markdown_table(), "put the output of `.venv/bin/python -m bento.metrics` there"


def test_every_recorded_series_is_explained() -> None:
    explained = OBSERVABILITY.replace("`…", "`valence:request_duration_seconds:")
    names = {re.sub(r"rate\d+[mhd]$", "rate", name) for name in recorded()} - {"valence:slo_errors:rate"}
    assert names
    assert [name for name in names if f"`{name}" not in explained] == []


def test_the_tables_of_objectives_and_burns_are_those_of_the_source() -> None:
    source = yaml.safe_load((FOLDER / "slos.yaml").read_text())
    for slo in source["slos"]:
        assert re.search(
            rf"^\| `{slo['name']}` \|.*\| {100 * slo['objective']:g}% \|$", OBSERVABILITY, re.MULTILINE
        )
    rates = re.findall(r"^\| ([\d.]+) times? ", OBSERVABILITY, re.MULTILINE)
    assert rates == [f"{burn['rate']:g}" for burn in source["burns"]]
    assert f"at least {source['minimum_requests']} requests" in OBSERVABILITY


@pytest.mark.parametrize("query", QUERIES)
def test_runbooks_ask_for_what_there_is(query: str) -> None:
    assert metrics_of(query)
    assert metrics_of(query) <= exposed() | recorded() | OTHERS


def test_links_lead_somewhere() -> None:
    for name, text in (("observability", OBSERVABILITY), ("runbooks", RUNBOOKS)):
        anchors = {heading.lower() for heading in re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE)}
        for path, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", text):
            assert not path or (ROOT / "docs" / path).exists(), f"{name}: {path}"
            assert not anchor or anchor in anchors, f"{name}: {anchor}"
