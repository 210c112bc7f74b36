"""The panels that need a cluster: their queries return data of such series as a cluster has."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.observe.cluster import SERIES, needs_cluster
from tests.observe.dashboards import Asked, asked

OF_CLUSTERS = [each for each in asked() if needs_cluster(each.expr)]


@pytest.mark.parametrize("query", OF_CLUSTERS, ids=lambda query: query.where)
def test_the_query_returns_data(query: Asked, tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing: apt install prometheus")
    # At the shipped pace, as these metrics have no other.
    expr = query.of("valence").replace("[10s]", "[4m]").replace("[60s]", "[1h]")
    check = {
        "expr": f"count({expr}) > bool 0",
        "eval_time": "25m",
        "exp_samples": [{"labels": "{}", "value": 1}],
    }
    series = [
        {"series": f"{name}{{{labels}}}", "values": values} for name, (labels, values) in SERIES.items()
    ]
    case = {"interval": "1m", "input_series": series, "promql_expr_test": [check]}
    (tmp_path / "case.yaml").write_text(yaml.safe_dump({"tests": [case]}))
    done = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "case.yaml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
