"""A release of a model: rolled out, tried, watched, and kept or taken back."""

import json

import pytest

from k8s.release.record import KEY, Record
from tests.k8s.conftest import NAMESPACE, WITHIN_S, Valence, Watch, await_line, begin, digest
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


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "metrics.txt", "http://[::1"])
def test_without_a_prometheus_nothing_is_begun(valence: Valence, address: str) -> None:
    answer = valence.release("2", "--values", valence.values("2"), "--prometheus", address)
    assert answer.code == 2
    assert f"Prometheus at {address}: " in answer.said
    assert "nothing was changed; to release unwatched: --bake 0" in answer.said
    assert valence.serving == {"1"}


def test_a_prometheus_that_knows_no_pods_is_named(valence: Valence, watched: Watch) -> None:
    with watched({}) as prometheus:
        answer = valence.release("2", "--values", valence.values("2"), "--prometheus", prometheus)
    assert answer.code == 2
    assert "Prometheus knows no metrics of the pods valence-* in sentiment" in answer.said
    assert "the labels namespace and pod" in answer.said


def test_a_prometheus_that_goes_away_in_the_bake_proves_nothing(valence: Valence, watched: Watch) -> None:
    options = ("--values", valence.values("2"), "--bake", "2s")
    with watched(GOOD_PAST) as prometheus:
        valence.cluster.fate("2", Fate.UNREADY)
        gone = begin("2", *options, "--prometheus", prometheus)
        await_line(gone, "0 of 3 new pods ready")
    valence.cluster.fate("2", Fate.READY)
    said = gone.communicate(timeout=WITHIN_S)[0]
    assert gone.returncode == 3
    assert f"not judged: Prometheus at {prometheus}: ConnectError" in said
    assert last(valence).state == "unproven"


def test_new_pods_that_are_not_counted_prove_nothing(valence: Valence, watched: Watch) -> None:
    """None of them has an answered request, not even a probe's: nobody scrapes them."""
    with watched(GOOD_PAST) as prometheus:
        answer = valence.release(
            "2", "--values", valence.values("2"), "--bake", "1s", "--prometheus", prometheus
        )
    assert answer.code == 3
    assert "not judged: Prometheus knows no metrics of the pods valence-" in answer.said


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


def test_what_cannot_be_asked_now_could_not_be_tried_later(valence: Valence) -> None:
    answer = valence.release(
        "2", "--values", valence.values("2"), "--bake", "0", "--url", "http://127.0.0.1:9"
    )
    assert answer.code == 2
    assert "what serves now cannot be asked" in answer.said
    assert "nothing was changed" in answer.said
    assert valence.serving == {"1"}


def test_a_pod_that_fails_predictions_is_not_asked_until_it_does_not(valence: Valence) -> None:
    valence.cluster.pods.errors["2"] = 500
    answer = valence.release("2", "--values", valence.values("2"), "--bake", "0")
    assert answer.code == 1, answer.said
    assert "500: " in answer.said
    assert "the model failed" in answer.said
    predictions = [call for call in valence.server.calls if call.resource == "pods/proxy"]
    assert [call.verb for call in predictions] == ["get", "get", "create"]


def test_what_serves_already_is_left_alone(valence: Valence) -> None:
    answer = valence.release("1", "--values", valence.values("1"), "--bake", "0")
    assert (answer.code, "nothing to do" in answer.said) == (0, True)
    assert not [call for call in valence.server.calls if call.verb not in ("get", "list", "watch")]


def test_settings_alone_are_no_release(valence: Valence) -> None:
    values = valence.values("1")
    with open(values, "a") as file:  # noqa: PTH123
        file.write("replicas: 5\n")
    answer = valence.release("1", "--values", values, "--bake", "0")
    assert answer.code == 2
    assert "changes something else" in answer.said
    assert "helm upgrade valence" in answer.said


def test_two_releases_do_not_cross(valence: Valence, watched: Watch) -> None:
    with watched(GOOD_PAST) as prometheus:
        watching = ("--bake", "1s", "--prometheus", prometheus)
        assert valence.release("2", "--values", valence.values("2"), *watching, "--who", "ada").code == 3
        answer = valence.release("3", "--values", valence.values("3"), *watching)
    assert answer.code == 2
    assert "ada has been releasing valence-sentiment 2" in answer.said
    assert valence.serving == {"2"}


def test_who_goes_on_with_a_release_has_it_alone(valence: Valence) -> None:
    valence.cluster.fate("2", Fate.UNREADY)
    options = ("--values", valence.values("2"), "--bake", "0")
    first = begin("2", *options)
    await_line(first, "0 of 3 new pods ready")
    second = begin("2", *options)
    await_line(second, "0 of 3 new pods ready")
    valence.cluster.fate("2", Fate.READY)
    said = [each.communicate(timeout=WITHIN_S)[0] for each in (first, second)]
    assert (first.returncode, second.returncode) == (4, 0), said
    assert "another process has gone on with the release of valence-sentiment 2" in said[0]
    assert last(valence).state == "kept"


def test_an_undo_ends_a_release_that_is_under_way(valence: Valence) -> None:
    valence.cluster.fate("2", Fate.UNREADY)
    first = begin("2", "--values", valence.values("2"), "--bake", "0")
    await_line(first, "0 of 3 new pods ready")
    answer = valence.release("undo", "--why", "wrong day")
    assert (answer.code, valence.serving) == (0, {"1"}), answer.said
    said = first.communicate(timeout=WITHIN_S)[0]
    assert first.returncode == 4, said
    assert "somebody has changed the Deployment to valence-sentiment 1" in said
    assert (last(valence).state, "wrong day" in (last(valence).reason or "")) == ("undone", True)


def test_a_release_that_helm_has_overtaken_is_over(valence: Valence, watched: Watch) -> None:
    with watched(GOOD_PAST) as prometheus:
        watching = ("--bake", "1s", "--prometheus", prometheus)
        assert valence.release("2", "--values", valence.values("2"), *watching).code == 3
    valence.helm("upgrade", "valence", str(valence.chart), "--values", valence.values("3"))
    valence.await_rollout("3")
    answer = valence.release("undo")
    assert answer.code == 0, answer.said
    assert "that release is over" in answer.said
    assert valence.serving == {"2"}  # which was there before
    assert [each.state for each in valence.records] == ["overtaken", "undone"]


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
