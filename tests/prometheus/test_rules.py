"""The rules: accepted by Prometheus's own tools, fresh, about metrics that exist, each with a runbook."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bento.metrics import METRICS
from tests.prometheus.rules import (
    FOLDER,
    OTHERS,
    ROOT,
    alerts,
    exposed,
    metrics_of,
    recorded,
    rules,
    run_tool,
)

SUFFIX = re.compile(r"_(bucket|sum|count)$")


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prometheus.generate", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_what_is_committed_is_what_the_source_makes() -> None:
    done = generate("--check")
    assert done.returncode == 0, done.stderr


def test_prometheus_accepts_rules_and_configuration() -> None:
    run_tool("promtool", "check", "rules", *map(str, FOLDER.glob("rules/*.yaml")))
    assert "2 rule files found" in run_tool("promtool", "check", "config", "prometheus.yml")


def test_prometheus_in_a_container_finds_the_same_with_other_addresses(tmp_path: Path) -> None:
    """As docker-compose.yaml mounts it."""
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    for mount in compose["prometheus"]["volumes"]:
        source, target, *_ = mount.split(":")
        if source.startswith("./"):
            place = tmp_path / Path(target).relative_to("/etc/prometheus")
            place.symlink_to(ROOT / source)
    run_tool("promtool", "check", "config", str(tmp_path / "prometheus.yml"))
    (scraped,) = yaml.safe_load((tmp_path / "targets" / "valence.yaml").read_text())
    (alertmanager,) = yaml.safe_load((tmp_path / "targets" / "alertmanager.yaml").read_text())
    hosts = {target.partition(":")[0] for target in (*scraped["targets"], *alertmanager["targets"])}
    assert hosts <= compose.keys()


def test_alertmanager_accepts_its_configuration() -> None:
    assert "2 receivers" in run_tool("amtool", "check-config", "alertmanager.yml")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("record", rule.get("alert")))
def test_rules_ask_for_what_there_is(rule: dict[str, str]) -> None:
    asked = metrics_of(rule["expr"])
    assert asked
    assert asked <= exposed() | recorded() | OTHERS


def test_a_misspelt_metric_would_be_found() -> None:
    asked = metrics_of('sum by (valence_no_metric) (rate(valence_request_total{code="valence_x"}[5m]) > up)')
    assert asked == {"valence_request_total", "up"}
    assert "valence_request_total" not in exposed()


def test_bounds_that_rules_ask_for_are_buckets() -> None:
    asked = {
        (SUFFIX.sub("", name), float(bound))
        for rule in rules()
        for name, bound in re.findall(r'(\w+_bucket)\{[^}]*\ble="([^"]+)"', rule["expr"])
    }
    assert {bound for _, bound in asked} == {0.1, 0.3}
    assert all(bound in METRICS[name].buckets for name, bound in asked)


def test_every_recorded_series_tells_releases_apart() -> None:
    for rule in rules():
        if "record" in rule:
            assert "namespace, release" in rule["expr"] or "valence:" in rule["expr"], rule["record"]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_tells_whom_it_is_for_what_it_means_and_where_to_go_on(
    alert: dict[str, dict[str, str]],
) -> None:
    name = str(alert["alert"])
    assert name.startswith("Valence")
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url", "dashboard"}
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert page == "docs/runbooks.md"
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}


def test_no_runbook_is_of_an_alert_that_is_gone() -> None:
    headings = re.findall(r"^## (Valence\w+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    assert set(headings) == {alert["alert"] for alert in alerts()}
    assert len(headings) == len(set(headings))


def test_another_pace_changes_durations_and_nothing_else(tmp_path: Path) -> None:
    assert generate("--scale", "60", "--output", str(tmp_path)).returncode == 0
    burn, *_ = yaml.safe_load((tmp_path / "rules" / "alerts.yaml").read_text())["groups"][0]["rules"]
    shipped, *_ = alerts()
    assert burn["expr"] == shipped["expr"].replace("* 3600", "* 60")
    assert (burn["for"], shipped["for"]) == ("2000ms", "2m")
    recording = (tmp_path / "rules" / "recording.yaml").read_text()
    windows = {int(window) for window in re.findall(r"\[(\d+)ms\]", recording)}
    assert windows == {5_000, 30_000, 60_000, 120_000, 360_000, 1_440_000, 4_320_000, 43_200_000}
    assert "scrape_interval: 1000ms" in (tmp_path / "prometheus.yml").read_text()
    run_tool("promtool", "check", "rules", *map(str, tmp_path.glob("rules/*.yaml")))
    run_tool("amtool", "check-config", str(tmp_path / "alertmanager.yml"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--scale", "60"), "--scale needs --output"),
        (("--scale", "0"), "--scale is at least 1"),
        (("--check", "--output", "x"), "leave --output out"),
    ],
)
def test_what_makes_no_sense_is_told(arguments: tuple[str, ...], told: str) -> None:
    done = generate(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
