"""Every query of every panel returns data of the real service, but for the few that need a cluster."""

import math

import pytest

from grafana.asked import fill, variables
from tests.grafana.expressions import EXPRESSIONS
from tests.observe.cluster import needs_cluster
from tests.observe.faults import FAULTS
from tests.observe.proof import Proof

STEP_S = 5
ASKED = {where: expr for where, expr in EXPRESSIONS.items() if not needs_cluster(expr)}


@pytest.mark.parametrize("expr", ASKED.values(), ids=ASKED.keys())
def test_the_query_returns_data(proof: Proof, expr: str) -> None:
    """Of at least one of the releases: what nobody was refused for has nothing to show there."""
    assert any(has_data(proof, expr, fault.name) for fault in FAULTS), expr


def has_data(proof: Proof, query: str, release: str) -> bool:
    """Ask over a sixtieth of an hour, and in rates over several scrapes."""
    expr = fill(query, variables("local", release, rate="10s", over="60s"))
    return any(
        math.isfinite(float(value))
        for series in proof.stack.query_range(expr, proof.started, proof.ended, STEP_S)
        for _, value in series["values"]
    )
