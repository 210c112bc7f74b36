"""No query that could not be answered: every one parses, and asks only for what there is."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from bento.metrics import METRICS
from grafana.asked import fill, variables
from grafana.generate import DASHBOARDS
from tests.grafana.expressions import EXPRESSIONS
from tests.grafana.names import CLUSTER, PROMETHEUS, RECORDED
from tests.prometheus.rules import exposed

ROOT = Path(__file__).resolve().parents[2]
QUOTED = re.compile(r'"[^"]*"')
METRIC = re.compile(r"(?<![\w:])([a-zA-Z_:][\w:]*)\{")
WITHOUT_LABELS = re.compile(r"\b(?:valence[_:]|kube_|container_)[\w:]*+(?!\{)")
LABELS = re.compile(r"([a-z_]+)(?:=~|!~|!=|=)")

every_query = pytest.mark.parametrize("expr", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())


def metrics(expr: str) -> set[str]:
    """The names of the metrics in a query: all of ours are asked for by labels."""
    return set(METRIC.findall(QUOTED.sub('""', expr)))


@every_query
def test_it_asks_only_for_what_there_is(expr: str) -> None:
    asked = metrics(expr)
    assert asked
    assert asked <= exposed() | RECORDED.keys() | CLUSTER | PROMETHEUS


@every_query
def test_it_keeps_to_the_release_that_was_chosen(expr: str) -> None:
    assert not WITHOUT_LABELS.search(QUOTED.sub('""', expr))
    for selector in re.findall(r"\{([^}]*)\}", expr):
        assert 'namespace="$namespace"' in selector
        assert 'release="$release"' in selector or 'pod=~"$release-.+"' in selector


@every_query
def test_it_matches_only_labels_that_there_are(expr: str) -> None:
    known = {"namespace", "release", "pod", "le"}
    for name, matchers in re.findall(r"([\w:]+)\{([^}]*)\}", expr):
        if name not in CLUSTER | PROMETHEUS:
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            labels = METRICS[base].labels if base in METRICS else RECORDED[name]
            assert set(LABELS.findall(QUOTED.sub("", matchers))) <= known | set(labels), name


@every_query
def test_no_variable_is_left_when_all_are_filled(expr: str) -> None:
    assert not re.search(r"\$[a-z_{]", fill(expr, variables("local", "valence")))


@pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool (Debian: apt install prometheus)")
def test_prometheus_can_read_them_all(tmp_path: Path) -> None:
    values = variables("local", "valence")
    rules = [
        {"record": f"query:{number}", "expr": fill(expr, values)}
        for number, expr in enumerate(EXPRESSIONS.values())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}, width=10_000))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_on_a_dashboard_or_in_a_rule(name: str) -> None:
    """All of them stand in a document too, but in a table that is made of them: that would prove nothing."""
    places = [*DASHBOARDS.glob("*.json"), *ROOT.glob("prometheus/rules/*.yaml")]
    asked = "\n".join(path.read_text(encoding="utf-8") for path in places)
    assert re.search(rf"\b{name}(_bucket|_sum|_count)?\b", asked)


def test_what_is_taken_for_recorded_is_recorded() -> None:
    groups = yaml.safe_load((ROOT / "prometheus" / "rules" / "recording.yaml").read_text())["groups"]
    recorded = {rule["record"] for group in groups for rule in group["rules"]}
    assert recorded >= RECORDED.keys()


def test_an_alert_leads_to_a_dashboard_that_there_is() -> None:
    groups = yaml.safe_load((ROOT / "prometheus" / "rules" / "alerts.yaml").read_text())["groups"]
    links = {rule["annotations"]["dashboard"] for group in groups for rule in group["rules"]}
    assert links
    for link in links:
        uid, _, variables_of_link = link.removeprefix("/d/").partition("?")
        assert (DASHBOARDS / f"{uid}.json").exists()
        assert re.findall(r"var-(\w+)=", variables_of_link) == ["namespace", "release"]
