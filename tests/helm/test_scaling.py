"""Who decides on the number of pods, and how many of them may be away."""

import pytest

from tests.helm.chart import CASES, HelmError, find, kinds, render, workload


@pytest.mark.parametrize("case", CASES)
def test_replicas_are_left_out_where_something_scales(case: str) -> None:
    objects = render(case)
    scaled = bool({"HorizontalPodAutoscaler", "ScaledObject"} & kinds(objects))
    assert ("replicas" in workload(objects)["spec"]) is not scaled


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("monitored", "HorizontalPodAutoscaler"),
        ("adapter", "HorizontalPodAutoscaler"),
        ("argo-keda", "ScaledObject"),
    ],
)
def test_what_scales_names_what_there_is(case: str, kind: str) -> None:
    objects = render(case)
    target = workload(objects)
    assert find(objects, kind)["spec"]["scaleTargetRef"] == {
        "apiVersion": target["apiVersion"],
        "kind": target["kind"],
        "name": target["metadata"]["name"],
    }
    assert len({"HorizontalPodAutoscaler", "ScaledObject"} & kinds(objects)) == 1, "two would fight"


def test_by_cpu() -> None:
    spec = find(render("monitored"), "HorizontalPodAutoscaler")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (4, 20)
    (metric,) = spec["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}


def test_by_measured_capacity_and_by_cpu_when_prometheus_is_away() -> None:
    cpu, pods = find(render("adapter"), "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert cpu["type"] == "Resource"
    assert pods["pods"] == {
        "metric": {"name": "valence_capacity_used_ratio"},
        "target": {"type": "AverageValue", "averageValue": "850m"},
    }


def test_the_same_through_keda() -> None:
    spec = find(render("argo-keda"), "ScaledObject")["spec"]
    prometheus, cpu = spec["triggers"]
    assert prometheus["metadata"]["serverAddress"] == "http://prometheus.observability.svc:9090"
    assert prometheus["metadata"]["query"] == (
        'sum(valence_capacity_used_ratio{namespace="sentiment",service="valence"})'
    )
    assert (prometheus["metricType"], prometheus["metadata"]["threshold"]) == ("AverageValue", "0.7")
    assert cpu["metadata"] == {"value": "75"}


@pytest.mark.parametrize(
    "values", [{"autoscaling.mode": "adapter"}, {"autoscaling.mode": "keda"}, {"rollout.enabled": True}]
)
def test_what_asks_prometheus_is_refused_where_nothing_scrapes(values: dict[str, object], major: str) -> None:
    with pytest.raises(HelmError, match=r"which nothing scrapes: set monitoring\.serviceMonitor=true"):
        render(values=values, major=major)
    for scraped in ("monitoring.serviceMonitor", "monitoring.scrapedOtherwise"):
        assert render(values=values | {scraped: True}, major=major)


@pytest.mark.parametrize("case", CASES)
def test_a_budget_protects_pods_and_lets_nodes_drain(case: str) -> None:
    objects = render(case)
    scaler = [each["spec"] for each in objects if each["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]
    fewest = workload(objects)["spec"].get("replicas") or scaler[0].get(
        "minReplicas", scaler[0].get("minReplicaCount")
    )
    if "PodDisruptionBudget" not in kinds(objects):
        assert fewest == 1
        return
    budget = find(objects, "PodDisruptionBudget")["spec"]
    assert 0 < budget["maxUnavailable"] < fewest
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize(
    ("case", "values", "remedy"),
    [
        ("minimal", {"replicas": 1}, "raise replicas, or set podDisruptionBudget.enabled=false"),
        ("minimal", {"podDisruptionBudget.maxUnavailable": 3}, "protects none of 3 pods"),
        ("monitored", {"podDisruptionBudget.maxUnavailable": 4}, "raise autoscaling.minReplicas"),
        ("monitored", {"autoscaling.maxReplicas": 2}, "is above autoscaling.maxReplicas=2"),
    ],
)
def test_a_budget_or_range_that_contradicts_itself_is_refused(
    case: str, values: dict[str, object], remedy: str, major: str
) -> None:
    with pytest.raises(HelmError, match=remedy.replace(".", r"\.")):
        render(case, values, major=major)


def test_a_budget_that_would_block_every_drain_is_refused(major: str) -> None:
    with pytest.raises(HelmError, match="maxUnavailable"):
        render(values={"podDisruptionBudget.maxUnavailable": 0}, major=major)
