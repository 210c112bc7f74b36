"""ServiceMonitor, rules and dashboards: wired, and filled by whatever files lie in the chart."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from bento.metrics import METRICS
from grafana.generate import generate
from tests.helm.chart import CHART, Object, find, kinds, render
from tests.helm.schemas import check

DOCS = "https://git.example.org/valence/blob/main/docs"
RULES = """\
groups:
  - name: sample
    rules:
      - alert: Sample
        expr: vector(1)
        annotations: {summary: "on {{ $labels.pod }}"}
"""
_AS_META = str.maketrans("./-", "___")  # how Prometheus writes the names of labels
DASHBOARD = '{\n  "title": "Sample",\n  "panels": [{"legendFormat": "{{pod}}"}]\n}\n'


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the chart with one file of each kind."""
    chart = tmp_path_factory.mktemp("filled") / "valence"
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("files"))
    for folder, name, content in (("rules", "sample.yaml", RULES), ("dashboards", "sample.json", DASHBOARD)):
        (chart / "files" / folder).mkdir(parents=True)
        (chart / "files" / folder / name).write_text(content)
    return chart


def test_prometheus_scrapes_the_service() -> None:
    objects = render("monitored")
    monitor, service = find(objects, "ServiceMonitor"), find(objects, "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == (service["spec"]["ports"][0]["name"], "/metrics")
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    (relabeling,) = endpoint["relabelings"]
    label = relabeling["sourceLabels"][0].removeprefix("__meta_kubernetes_service_label_")
    assert label in {name.translate(_AS_META) for name in service["metadata"]["labels"]}
    assert relabeling["targetLabel"] == "release"


def test_the_rules_of_the_source_are_in_the_chart(major: str) -> None:
    """`tests/prometheus` holds that the files are fresh."""
    rules = [each for each in render("monitored", major=major) if each["kind"] == "PrometheusRule"]
    assert {each["metadata"]["name"] for each in rules} == {"valence-alerts", "valence-recording"}
    for rule in rules:
        check(rule, "1.35")
        source = (CHART / f"files/rules/{rule['metadata']['name'][8:]}.yaml").read_text()
        assert rule["spec"] == yaml.safe_load(source.replace("docs/runbooks.md#", f"{DOCS}/runbooks.md#"))


def test_alerts_name_the_runbook_where_nobody_said_where_it_can_be_read() -> None:
    objects = render("monitored", {"monitoring.docsUrl": ""})
    specs = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "PrometheusRule"}
    assert specs["valence-alerts"] == yaml.safe_load((CHART / "files/rules/alerts.yaml").read_text())


def dashboards(values: Mapping[str, object]) -> dict[str, Object]:
    maps = [each for each in render("monitored", values) if each["kind"] == "ConfigMap"]
    return {name: json.loads(text) for each in maps for name, text in each["data"].items()}


def test_dashboards_lead_to_the_documents() -> None:
    """`tests/grafana` holds that the files are fresh."""
    found = dashboards({})
    assert found
    for name, dashboard in found.items():
        text = (CHART / "files" / "dashboards" / name).read_text()
        assert dashboard == json.loads(text.replace('"docs/', f'"{DOCS}/'))
        assert {link["url"] for link in dashboard["links"] if "url" in link} == {
            f"{DOCS}/runbooks.md",
            f"{DOCS}/dashboards.md",
        }


def test_dashboards_lead_nowhere_where_nobody_said_where_the_documents_can_be_read() -> None:
    """So they are those of a machine on which Grafana is started by hand."""
    made = {name: json.loads(text) for name, text in generate().items()}
    assert dashboards({"monitoring.docsUrl": ""}) == made


def test_rules_arrive_unchanged(filled: Path, major: str) -> None:
    rule = find(render("monitored", major=major, chart=filled), "PrometheusRule")
    assert rule["metadata"]["name"] == "valence-sample"
    assert rule["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    check(rule, "1.35")
    (group,) = rule["spec"]["groups"]
    assert group["rules"][0]["annotations"]["summary"] == "on {{ $labels.pod }}"


def test_dashboards_arrive_unchanged(filled: Path, major: str) -> None:
    config = find(render("monitored", major=major, chart=filled), "ConfigMap")
    assert config["metadata"]["name"] == "valence-dashboard-sample"
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(config["data"]["sample.json"]) == json.loads(DASHBOARD)


def test_nothing_of_it_where_nobody_asked(filled: Path) -> None:
    assert not {"ServiceMonitor", "PrometheusRule", "ConfigMap"} & kinds(render(chart=filled))


def test_a_canary_is_watched_by_its_own_pods_alone() -> None:
    objects = render("argo-keda")
    rollout, analysis = find(objects, "Rollout"), find(objects, "AnalysisTemplate")
    watched = rollout["spec"]["strategy"]["canary"]["analysis"]
    assert watched["templates"] == [{"templateName": analysis["metadata"]["name"]}]
    assert {each["name"] for each in watched["args"]} == {each["name"] for each in analysis["spec"]["args"]}
    assert "Deployment" not in kinds(objects)
    for metric, limit in zip(analysis["spec"]["metrics"], ("0.005", "0.25"), strict=True):
        prometheus = metric["provider"]["prometheus"]
        assert prometheus["address"] == "http://prometheus.observability.svc:9090"
        assert 'namespace="sentiment",pod=~"valence-{{args.canary}}-.*"' in prometheus["query"]
        assert metric["successCondition"].endswith(f"<= {limit}")
        assert metric["failureCondition"].endswith(f"> {limit}")


def test_a_canary_is_watched_until_the_last_step_is_over() -> None:
    """A metric with a count ends with it; one without is measured until the rollout stops the analysis."""
    for metric in find(render("argo-keda"), "AnalysisTemplate")["spec"]["metrics"]:
        assert "count" not in metric
        assert metric["interval"] == "30s"


def test_what_the_chart_asks_prometheus_for_is_exposed() -> None:
    asked = str(find(render("argo-keda"), "AnalysisTemplate")) + str(
        find(render("argo-keda"), "ScaledObject")
    )
    found = {name for name in METRICS if name in asked}
    assert found == {
        "valence_requests_total",
        "valence_request_duration_seconds",
        "valence_capacity_used_ratio",
    }
