"""One value, drain.serveSeconds, drives every time of a drain."""

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bento.settings import Settings
from tests.helm.chart import CASES, HelmError, environment, find, kinds, render, server, workload

LONGEST_REQUEST_S = 30
MOST_S = 600
LONGEST_BATCH_TEXTS = 256  # what the longest request above holds
NOTICE_S = 60  # what a load balancer's controller and its NLB may need to hear of it
TARGET_GROUP = "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes"


def times(objects: list[dict[str, Any]]) -> tuple[float, float, int]:
    """Return how long a pod serves on, the longest wait in its queue, and its grace period: seconds."""
    variables = environment(server(objects))
    grace = workload(objects)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    return (
        int(variables["VALENCE_DRAIN_SERVE_MS"]) / 1e3,
        int(variables["VALENCE_MAX_QUEUE_MS"]) / 1e3,
        grace,
    )


@pytest.mark.parametrize("case", CASES)
def test_the_grace_period_holds_the_whole_drain(case: str) -> None:
    objects = render(case)
    serve, queue, grace = times(objects)
    texts = int(environment(server(objects))["VALENCE_MAX_BATCH_TEXTS"])
    longest = LONGEST_REQUEST_S * max(1, texts / LONGEST_BATCH_TEXTS)
    assert grace >= serve + queue + longest
    assert grace <= serve + math.ceil(queue) + math.ceil(longest) + 5, "no more than a margin"


def test_without_a_value_a_pod_behind_an_nlb_serves_for_three_minutes() -> None:
    assert times(render())[0] == 180
    assert deregistration(render()) == 120
    assert times(render("ingress-registry"))[0] == 20


@given(serve=st.integers(1, MOST_S), queue=st.integers(1, 60_000))
@example(serve=MOST_S, queue=60_000)
@settings(max_examples=12)
def test_whatever_the_value_is(serve: int, queue: int) -> None:
    objects = render(values={"drain.serveSeconds": serve, "server.maxQueueMs": queue})
    served, queued, grace = times(objects)
    assert (served, queued) == (serve, queue / 1e3)
    assert grace >= serve + queue / 1e3 + LONGEST_REQUEST_S
    assert deregistration(objects) == max(0, serve - NOTICE_S)
    assert Settings(drain_serve_ms=serve * 1000, max_queue_ms=queue).drain_serve_ms == serve * 1000


def test_more_than_the_server_would_accept_is_refused(major: str) -> None:
    with pytest.raises(HelmError, match="serveSeconds"):
        render(values={"drain.serveSeconds": MOST_S + 1}, major=major)
    with pytest.raises(ValidationError):
        Settings(drain_serve_ms=(MOST_S + 1) * 1000)


@pytest.mark.parametrize("case", ["minimal", "monitored", "eks", "internet"])
def test_a_pod_serves_until_the_load_balancer_has_let_go(case: str) -> None:
    objects = render(case)
    serve, _, _ = times(objects)
    assert deregistration(objects) + NOTICE_S <= serve
    assert serve >= 180, "an NLB sends connections for about two minutes more"


@pytest.mark.parametrize("case", ["minimal", "eks", "internet"])
def test_the_load_balancer_cuts_no_connection_to_a_pod_that_drains(case: str) -> None:
    """It does by default, as soon as a target is unhealthy."""
    objects = render(case)
    attributes = target_group(objects)
    assert attributes["target_health_state.unhealthy.connection_termination.enabled"] == "false"
    draining = int(attributes["target_health_state.unhealthy.draining_interval_seconds"])
    assert draining >= times(objects)[2], "else it cuts before the pod is gone"


def test_the_service_hears_of_the_end_itself() -> None:
    """A preStop hook would delay SIGTERM, and with it the readiness that goes first."""
    for case in CASES:
        assert "lifecycle" not in server(render(case))


@pytest.mark.parametrize("case", CASES)
def test_no_pod_leaves_before_its_successor_serves(case: str) -> None:
    objects = render(case)
    strategy = workload(objects)["spec"]["strategy"]
    rolling = strategy["canary"] if "Rollout" in kinds(objects) else strategy["rollingUpdate"]
    assert rolling["maxUnavailable"] == 0
    assert rolling["maxSurge"] == "25%"


def deregistration(objects: list[dict[str, Any]]) -> int:
    return int(target_group(objects)["deregistration_delay.timeout_seconds"])


def target_group(objects: list[dict[str, Any]]) -> dict[str, str]:
    attributes: str = find(objects, "Service")["metadata"]["annotations"][TARGET_GROUP]
    return dict(part.split("=") for part in attributes.split(","))
