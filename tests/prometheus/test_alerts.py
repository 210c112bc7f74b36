"""Every alert fires when it should and not when not: the cases in `prometheus/tests`, run by promtool."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus.rules import FOLDER, alerts, run_tool

CASES = sorted(FOLDER.glob("tests/*.yaml"))
WHOLE = {
    'ALERTS{alertstate="firing"}',
    'count by (alertname, severity, slo, burn_rate) (ALERTS{alertstate="firing"})',
}
# What tells rules apart: the alert and, where an objective's budget burns, of which one and how fast.
Key = tuple[str, str, str]


def key(labels: dict[str, str]) -> Key:
    burn_rate = labels.get("burn_rate", "")
    return labels["alertname"], labels["slo"] if burn_rate else "", burn_rate


def checks(path: Path) -> Iterator[set[Key]]:
    """Yield what is expected to fire, of every check on the whole set."""
    for test in yaml.safe_load(path.read_text())["tests"]:
        for check in test["promql_expr_test"]:
            if check["expr"] in WHOLE:
                yield {key(parse(sample["labels"])) for sample in check["exp_samples"]}


def parse(labels: str) -> dict[str, str]:
    pairs = labels[labels.index("{") + 1 : -1].split(",")
    return {name: value.strip('"') for name, value in (pair.split("=", 1) for pair in pairs)}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_cases_hold(path: Path) -> None:
    assert "SUCCESS" in run_tool("promtool", "test", "rules", str(path))


def test_a_wrong_expectation_would_be_found(tmp_path: Path) -> None:
    wrong: dict[str, Any] = yaml.safe_load((FOLDER / "tests" / "service.yaml").read_text())
    wrong["rule_files"] = [str(FOLDER / "rules" / name) for name in ("recording.yaml", "alerts.yaml")]
    wrong["tests"] = wrong["tests"][:1]
    wrong["tests"][0]["promql_expr_test"][1]["exp_samples"] = []
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    with pytest.raises(AssertionError, match="ValenceSaturated"):
        run_tool("promtool", "test", "rules", str(tmp_path / "wrong.yaml"))


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: "-".join(filter(None, of(alert))))
def test_an_alert_is_seen_to_fire_and_not_to(alert: dict[str, Any]) -> None:
    """In one and the same file of cases, so that its silence is not that of another subject."""
    found = [of(alert) in expected for path in CASES for expected in checks(path) if is_about(path, alert)]
    assert set(found) == {True, False}


def of(alert: dict[str, Any]) -> Key:
    return key(alert["labels"] | {"alertname": alert["alert"]})


def is_about(path: Path, alert: dict[str, Any]) -> bool:
    return any(of(alert) in expected for expected in checks(path))
