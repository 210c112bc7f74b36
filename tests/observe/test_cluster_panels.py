"""The panels that need a cluster: their queries return data of such series as a cluster has."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from grafana.asked import fill, variables
from tests.grafana.expressions import EXPRESSIONS
from tests.observe.cluster import SERIES, needs_cluster

OF_CLUSTERS = {where: expr for where, expr in EXPRESSIONS.items() if needs_cluster(expr)}


@pytest.mark.parametrize("query", OF_CLUSTERS.values(), ids=OF_CLUSTERS.keys())
def test_the_query_returns_data(query: str, tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing: apt install prometheus")
    expr = fill(query, variables("local", "valence", rate="4m"))
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
