"""A release of a model: rolled out, tried, watched, and kept or taken back."""

import json

import pytest

from k8s.release.record import KEY, Record
from tests.k8s.conftest import NAMESPACE, Valence, Watch, digest
from tests.k8s.fate import Fate

GOOD_PAST = {"200": 90_000, "500": 90, "slow": 300}
both_helms = pytest.mark.parametrize("helm_major", ["3", "4"], ids=["helm3", "helm4"])


def last(valence: Valence) -> Record:
    return valence.records[-1]


@both_helms
def test_a_good_release_is_kept(valence: Valence, watched: Watch) -> None:
    valence.cluster.pods.traffic["2"] = {"200": 3000, "500": 2}
    with watched(GOOD_PAST) as prometheus:
        answer = valence.release(
            *("2", "--values", valence.values("2"), "--bake", "6s", "--prometheus", prometheus),
            *("--why", "better on negation", "--who", "ada"),
        )
    assert answer.code == 0, answer.said
    assert valence.serving == {"2"}
    assert "kept: failed (5xx): 6 of 9006" in answer.said
    assert "python -m training.promote --to 2" in answer.said
    record = last(valence)
    assert (record.state, record.who, record.why) == ("kept", "ada", "better on negation")
    told = json.loads(valence.helm("history", "valence", "--output", "json"))[-1]
    assert told["description"] == "model 2, by ada: better on negation"


@both_helms
def test_a_release_that_fails_requests_is_taken_back(valence: Valence, watched: Watch) -> None:
    valence.cluster.pods.traffic["2"] = {"200": 900, "500": 100}
    with watched(GOOD_PAST) as prometheus:
        answer = valence.release(
            "2", "--values", valence.values("2"), "--bake", "12s", "--prometheus", prometheus
        )
    assert answer.code == 1, answer.said
    assert valence.serving == {"1"}
    assert "failed (5xx): 300 of 3000 (10.00%), before " in answer.said
    assert "python -m k8s.release" not in answer.said  # nothing is left to do
    assert last(valence).state == "undone"
    assert "10.00%" in (last(valence).reason or "")


@pytest.mark.parametrize(
    ("traffic", "named"),
    [({"200": 500, "429": 100}, "turned away (429)"), ({"200": 500, "slow": 100}, "slower than 300 ms")],
    ids=["turned away", "slow"],
)
def test_a_release_that_is_slower_is_taken_back(
    valence: Valence, watched: Watch, traffic: dict[str, int], named: str
) -> None:
    valence.cluster.pods.traffic["2"] = traffic
    with watched(GOOD_PAST) as prometheus:
        answer = valence.release(
            "2", "--values", valence.values("2"), "--bake", "12s", "--prometheus", prometheus
        )
    assert answer.code == 1
    assert f"going back to valence-sentiment 1 ({digest('1')[:19]}…): {named}" in answer.said


def test_what_was_as_bad_before_is_not_the_releases_fault(valence: Valence, watched: Watch) -> None:
    valence.cluster.pods.traffic["2"] = {"200": 900, "500": 100}
    with watched({"200": 90_000, "500": 10_000}) as prometheus:
        answer = valence.release(
            "2", "--values", valence.values("2"), "--bake", "6s", "--prometheus", prometheus
        )
    assert answer.code == 0, answer.said


def test_too_little_traffic_is_said_and_can_be_accepted(valence: Valence, watched: Watch) -> None:
    valence.cluster.pods.traffic["2"] = {"200": 20}
    with watched(GOOD_PAST) as prometheus:
        command = ("2", "--values", valence.values("2"), "--bake", "6s", "--prometheus", prometheus)
        answer = valence.release(*command)
        assert answer.code == 3
        assert "too little traffic: failed (5xx): 0 of 60 (0.00%)" in answer.said
        assert "300 requests are needed to judge" in answer.said
        assert last(valence).state == "unproven"
        assert valence.serving == {"2"}
        again = valence.release(*command, "--accept-little-traffic")
    assert again.code == 0
    assert last(valence).state == "kept"
    assert "too little traffic" in (last(valence).reason or "")


def test_a_prometheus_that_is_away_proves_nothing(valence: Valence) -> None:
    answer = valence.release(
        "2", "--values", valence.values("2"), "--bake", "1s", "--prometheus", "http://127.0.0.1:9"
    )
    assert answer.code == 3
    assert "not judged: Prometheus at http://127.0.0.1:9" in answer.said


def test_a_pod_that_crashes_in_the_bake_undoes_the_release(valence: Valence, watched: Watch) -> None:
    valence.cluster.fate("2", Fate.RESTARTED)
    with watched(GOOD_PAST) as prometheus:
        answer = valence.release(
            "2", "--values", valence.values("2"), "--bake", "12s", "--prometheus", prometheus
        )
    assert answer.code == 1
    assert "restarted 1 times since its start" in answer.said


@pytest.mark.parametrize(
    ("fate", "reason"),
    [
        (Fate.NO_IMAGE, 'ImagePullBackOff: Back-off pulling image "localhost/valence:none"'),
        (Fate.CRASHES, "the digest is sha256:1, not sha256:2"),
        (Fate.UNREADY, "NotReady: Readiness probe failed: HTTP probe failed with statuscode: 503"),
        (Fate.UNSCHEDULABLE, "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."),
    ],
    ids=lambda each: each.name if isinstance(each, Fate) else "",
)
def test_pods_that_do_not_come_up_are_taken_back_and_the_reason_is_told(
    valence: Valence, fate: Fate, reason: str
) -> None:
    valence.cluster.fate("2", fate)
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0", "--timeout", "3s")
    assert answer.code == 1, answer.said
    assert reason in answer.said
    assert reason in (last(valence).reason or "")
    assert valence.serving == {"1"}


def test_pods_that_serve_another_model_are_taken_back(valence: Valence) -> None:
    valence.cluster.serves["2"] = digest("9")
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert answer.code == 1
    assert "not the released valence-sentiment 2" in answer.said


def test_the_service_can_be_asked_instead_of_its_pods(valence: Valence) -> None:
    pod = next(iter(valence.cluster.pods.models))
    url = f"{valence.cluster.pods.url}/{pod}"  # of version 1
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0", "--url", url)
    assert answer.code == 1
    assert f"{url}/health" in answer.said


def test_what_serves_already_is_left_alone(valence: Valence) -> None:
    answer = valence.release("1", "--values", valence.values("1"), "--bake", "0")
    assert (answer.code, "nothing to do" in answer.said) == (0, True)
    assert not [call for call in valence.server.calls if call.verb not in ("get", "list", "watch")]


def test_two_releases_do_not_cross(valence: Valence, watched: Watch) -> None:
    with watched(GOOD_PAST) as prometheus:
        watching = ("--bake", "1s", "--prometheus", prometheus)
        assert valence.release("2", "--values", valence.values("2"), *watching, "--who", "ada").code == 3
        answer = valence.release("3", "--values", valence.values("3"), *watching)
    assert answer.code == 2
    assert "ada has been releasing valence-sentiment 2" in answer.said
    assert valence.serving == {"2"}


def test_what_helm_refuses_changes_nothing(valence: Valence) -> None:
    values = valence.values("2")
    with open(values, "a") as file:  # noqa: PTH123
        file.write("replicaz: 5\n")
    answer = valence.release("2", "--values", values, "--bake", "0")
    assert answer.code == 2
    assert "replicaz" in answer.said
    assert last(valence).state == "refused"
    assert valence.serving == {"1"}


def test_values_of_another_version_are_refused(valence: Valence) -> None:
    answer = valence.release("3", "--values", valence.values("2"), "--bake", "0")
    assert (answer.code, "is about version 2, not 3" in answer.said) == (2, True)


def test_a_bake_needs_a_prometheus(valence: Valence) -> None:
    answer = valence.release("2", "--values", valence.values("2"))
    assert (answer.code, "--prometheus URL; to release unwatched: --bake 0" in answer.said) == (2, True)


def test_a_damaged_record_is_named(valence: Valence) -> None:
    meta = {"name": "valence-releases", "namespace": NAMESPACE}
    damaged = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {KEY: "{"}}
    valence.server.store.create(damaged)
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert answer.code == 2
    assert "kubectl delete configmap valence-releases" in answer.said
