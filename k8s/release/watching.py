"""Watching a rollout, until it is complete or hopeless."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from k8s.release.api import Api
from k8s.release.deployment import DEPLOYMENTS, Rollout, look
from k8s.release.duration import in_words
from k8s.release.model import Model
from k8s.release.outcome import Exit, ReleaseError
from k8s.release.trouble import Trouble, find_trouble

Say = Callable[[str], None]

_LOOK_S = 5  # at the least so often, as pods have troubles that their Deployment does not show


class RolloutError(ReleaseError):
    """The new pods do not come up."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.UNDONE)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a rollout, in seconds."""

    rollout_s: float

    @property
    def trouble_s(self) -> float:
        """How long to wait where a pod has a trouble that time alone does not mend."""
        return self.rollout_s / 10


def await_rollout(api: Api, release: str, model: Model, patience: Patience, say: Say) -> Rollout:
    """Wait until the pods that the Deployment wants serve, and no others.

    Args:
        api: The cluster.
        release: Of Helm.
        model: What the Deployment wants.
        patience: How long.
        say: Told of progress and troubles.

    Raises:
        RolloutError: A pod has a trouble that lasts, or the time is up; the message says why.
        ReleaseError: Somebody else has changed the Deployment meanwhile.
    """
    started = time.monotonic()
    said = ""
    troubles: dict[str, Trouble] = {}
    since: dict[tuple[str, str], float] = {}
    while True:
        rollout = look(api, release)
        rollout.check_undisturbed(model)
        troubles = {
            pod["metadata"]["name"]: found for pod in rollout.new if (found := find_trouble(api, pod))
        }
        passed = time.monotonic() - started
        line = f"{rollout.ready} of {rollout.wanted} new pods ready, {len(rollout.pods)} in all"
        if line != said:
            say(f"{line} ({in_words(passed)})")
            said = line
        for trouble in troubles.values():
            if (trouble.pod, trouble.reason) not in since:
                say(f"  {trouble}")
        since = {
            (each.pod, each.reason): since.get((each.pod, each.reason), passed) for each in troubles.values()
        }
        if rollout.complete and rollout.hash:
            return rollout
        for trouble in troubles.values():
            if trouble.hopeless and passed - since[trouble.pod, trouble.reason] >= patience.trouble_s:
                raise RolloutError(str(trouble))
        if rollout.stalled or passed >= patience.rollout_s:
            why = rollout.stalled or f"not complete after {in_words(passed)}"
            raise RolloutError("; ".join([why, *map(str, troubles.values())]))
        meta = rollout.deployment["metadata"]
        left = max(1, min(_LOOK_S, round(patience.rollout_s - passed)))
        api.await_change(DEPLOYMENTS, meta["name"], meta["resourceVersion"], left)
