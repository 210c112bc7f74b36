"""How far a rollout is, read from what the API server says of it."""

import pytest

from k8s.release.deployment import Rollout

COMPLETE = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
GAVE_UP = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "it has timed out"}


def rollout(**status: object) -> Rollout:
    deployment = {"metadata": {"name": "valence", "generation": 2}, "spec": {"replicas": 3}, "status": status}
    return Rollout(deployment, "abc", (), ())


def test_a_rollout_is_complete_when_all_pods_are_new_and_available() -> None:
    assert rollout(**COMPLETE).complete


@pytest.mark.parametrize(
    "lacking",
    [{"observedGeneration": 1}, {"replicas": 4}, {"updatedReplicas": 2}, {"availableReplicas": 2}],
    ids=lambda each: next(iter(each)),
)
def test_and_not_before(lacking: dict[str, int]) -> None:
    assert not rollout(**COMPLETE | lacking).complete


def test_that_kubernetes_has_given_up_is_told_in_its_words() -> None:
    assert rollout(observedGeneration=2, conditions=[GAVE_UP]).stalled == "it has timed out"


def test_what_it_had_given_up_before_is_not_held_against_the_next_rollout() -> None:
    assert rollout(observedGeneration=1, conditions=[GAVE_UP]).stalled is None
