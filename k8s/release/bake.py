"""The time after a rollout in which a release is watched."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from k8s.release.api import Api
from k8s.release.deployment import Rollout, look, restarts
from k8s.release.duration import in_words
from k8s.release.model import Model, from_template
from k8s.release.outcome import Exit, ReleaseError
from k8s.release.prometheus import Prometheus, PrometheusError
from k8s.release.record import Record
from k8s.release.slo import Count, Judgement, count_before, count_new, judge
from k8s.release.trouble import find_trouble
from k8s.release.watching import Say

_LOOK_S = 10.0
_MARGIN_S = 300  # that a pod may be older than the record of its release


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
        last = time.time() >= ends
        rollout = look(api, release)
        _check_undisturbed(rollout, record.model)
        if (broken := _find_broken(api, rollout)) is not None:
            return Verdict("violated", broken)
        judgements: list[Judgement] | None = None
        unseen = ""
        try:
            name = rollout.deployment["metadata"]["name"]
            if before is None:
                before = count_before(prometheus, api.namespace, name, at=started, window_s=before_s)
            window = round(time.time() - started) + _MARGIN_S
            new = count_new(prometheus, api.namespace, f"{name}-{rollout.hash}", window_s=window)
            judgements = judge(new, before, looks=looks)
        except PrometheusError as error:
            unseen = str(error)
            say(f"  {unseen}")
        if judgements is not None:
            violated = [str(each) for each in judgements if each.says == "violated"]
            if violated:
                return Verdict("violated", "; ".join(violated))
            left = in_words(max(0, ends - time.time()))
            say(f"  {'; '.join(f'{each.objective.name} {each.new}' for each in judgements)}; {left} left")
        if last:
            return _conclude(judgements, unseen)
        time.sleep(max(0.0, min(pause, ends - time.time())))


def _conclude(judgements: list[Judgement] | None, unseen: str) -> Verdict:
    if judgements is None:
        return Verdict("unproven", f"not judged: {unseen}")
    little = [str(each) for each in judgements if each.says == "too little traffic"]
    if little:
        return Verdict("unproven", "too little traffic: " + "; ".join(little))
    return Verdict("kept", "; ".join(map(str, judgements)))


def _check_undisturbed(rollout: Rollout, model: Model) -> None:
    serves = from_template(rollout.deployment)
    if serves != model:
        raise ReleaseError(
            f"somebody has changed the Deployment to {serves} during the bake of {model}; see: "
            "python -m k8s.release status",
            Exit.STUCK,
        )


def _find_broken(api: Api, rollout: Rollout) -> str | None:
    for pod in rollout.new:
        if (times := restarts(pod)) > 0:
            why = find_trouble(api, pod)
            return str(why) if why else f"{pod['metadata']['name']}: restarted {times} times since its start"
    return None


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()
