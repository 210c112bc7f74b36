"""The time after a rollout in which a release is watched."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from k8s.release.api import Api
from k8s.release.deployment import Rollout, look, restarts
from k8s.release.duration import in_words
from k8s.release.prometheus import Prometheus, PrometheusError
from k8s.release.record import Record
from k8s.release.slo import Count, Judgement, count_before, count_new, judge
from k8s.release.trouble import find_trouble
from k8s.release.watching import Say

_LOOK_S = 10.0
_MARGIN_S = 300  # that a pod may be older than the record of its release
_GRACE_S = 60  # to see once more what could not be seen when the time was up, and no longer than the bake


@dataclass(frozen=True)
class Verdict:
    """What the bake says, and why."""

    says: Literal["kept", "violated", "unproven"]
    why: str


def bake(
    api: Api, release: str, record: Record, prometheus: Prometheus, *, bake_s: int, before_s: int, say: Say
) -> Verdict:
    """Watch until the time is up or an objective is violated.

    Args:
        api: The cluster.
        release: Of Helm.
        record: Of this release; the bake began when it says.
        prometheus: Where requests are counted.
        bake_s: How long.
        before_s: How much of the time before the release to compare with.
        say: Told what is seen.

    Raises:
        ReleaseError: Somebody else has changed the Deployment meanwhile.
    """
    started = _timestamp(record.started)
    ends = _timestamp(record.baking_since or record.started) + bake_s
    pause = min(_LOOK_S, max(bake_s / 6, 0.5))
    looks = int(bake_s / pause) + 2
    before: list[Count] | None = None
    while True:
        left_s = ends - time.time()
        rollout = look(api, release)
        rollout.check_undisturbed(record.model)
        if (broken := _find_broken(api, rollout)) is not None:
            return Verdict("violated", broken)
        try:
            if before is None:
                name = rollout.name
                before = count_before(prometheus, api.namespace, name, at=started, window_s=before_s)
            window = round(time.time() - started) + _MARGIN_S
            new = count_new(prometheus, api.namespace, _new_pods(rollout), window_s=window)
            judgements = judge(new, before, looks=looks)
        except PrometheusError as error:
            say(f"  {error}")
            if left_s <= -min(bake_s, _GRACE_S):
                return Verdict("unproven", f"not judged: {error}")
        else:
            violated = [str(each) for each in judgements if each.says == "violated"]
            if violated:
                return Verdict("violated", "; ".join(violated))
            counts = "; ".join(f"{each.objective.name} {each.new}" for each in judgements)
            say(f"  {counts}; {in_words(max(0, left_s))} left")
            if left_s <= 0:
                return _conclude(judgements)
        time.sleep(min(pause, left_s) if left_s > 0 else pause)


def _new_pods(rollout: Rollout) -> str:
    if rollout.hash is None:
        raise PrometheusError("which pods are new is not known, as the Deployment is being changed")
    return f"{rollout.name}-{rollout.hash}"


def _conclude(judgements: list[Judgement]) -> Verdict:
    little = [str(each) for each in judgements if each.says == "too little traffic"]
    if little:
        return Verdict("unproven", "too little traffic: " + "; ".join(little))
    return Verdict("kept", "; ".join(map(str, judgements)))


def _find_broken(api: Api, rollout: Rollout) -> str | None:
    for pod in rollout.new:
        if (times := restarts(pod)) > 0:
            why = find_trouble(api, pod)
            return str(why) if why else f"{pod['metadata']['name']}: restarted {times} times since its start"
    return None


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()
