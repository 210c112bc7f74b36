"""Every query of every panel returns data of the real service, but for the few that need a cluster."""

import math

import pytest

from tests.observe.cluster import needs_cluster
from tests.observe.dashboards import Asked, asked
from tests.observe.faults import FAULTS
from tests.observe.proof import Proof

STEP_S = 5


@pytest.mark.parametrize(
    "query", [each for each in asked() if not needs_cluster(each.expr)], ids=lambda query: query.where
)
def test_the_query_returns_data(proof: Proof, query: Asked) -> None:
    """Of at least one of the releases: what nobody was refused for has nothing to show there."""
    assert any(has_data(proof, query.of(fault.name)) for fault in FAULTS), query.expr


def has_data(proof: Proof, expr: str) -> bool:
    return any(
        math.isfinite(float(value))
        for series in proof.stack.query_range(expr, proof.started, proof.ended, STEP_S)
        for _, value in series["values"]
    )
