"""Why a pod does not come up, in words."""

from dataclasses import dataclass

from k8s.release.api import Api, ApiError, Json
from k8s.release.deployment import is_ready, restarts

_LOG_LINES = 8
_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_BROKEN = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


@dataclass(frozen=True)
class Trouble:
    """What keeps a pod from being ready."""

    pod: str
    reason: str
    detail: str
    hopeless: bool  # time alone does not mend it

    def __str__(self) -> str:
        return f"{self.pod}: {self.reason}: {self.detail}"


def find_trouble(api: Api, pod: Json) -> Trouble | None:
    """Say what is wrong with a pod; None where it is ready, or on its way."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if is_ready(pod):
        return None
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            why = condition.get("message", "no node takes it")
            return Trouble(name, condition.get("reason", "Unschedulable"), why, hopeless=False)
    if status.get("reason") == "Evicted":
        return Trouble(name, "Evicted", status.get("message", "by its node"), hopeless=False)
    for each in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = each.get("state", {}).get("waiting", {})
        reason = waiting.get("reason", "")
        if reason in _IMAGE | _BROKEN:
            return Trouble(name, reason, waiting.get("message", each.get("image", "")), hopeless=True)
        ended = each.get("lastState", {}).get("terminated") or each.get("state", {}).get("terminated")
        if ended and not each.get("ready") and ended.get("exitCode", 0) != 0:
            last = _last_lines(api, name, each["name"], previous=each.get("restartCount", 0) > 0)
            code = f"{each['name']} exited with {ended['exitCode']} ({ended.get('reason', 'Error')})"
            return Trouble(name, reason or "Error", f"{code}\n{last}", hopeless=restarts(pod) > 1)
    running = any("running" in each.get("state", {}) for each in status.get("containerStatuses", []))
    if running:
        return Trouble(name, "NotReady", _last_event(api, name), hopeless=False)
    return None


def _last_lines(api: Api, pod: str, container: str, *, previous: bool) -> str:
    query = {"container": container, "tailLines": str(_LOG_LINES)}
    try:
        text = api.text(f"v1/pods/{pod}/log", query | ({"previous": "true"} if previous else {}))
    except ApiError as error:
        return f"    (its log cannot be had: {error})"
    return "\n".join(f"    {line}" for line in text.splitlines()) or "    (its log is empty)"


def _last_event(api: Api, pod: str) -> str:
    query = {"fieldSelector": f"involvedObject.name={pod},type=Warning"}
    try:
        events = api.get("v1/events", query)["items"]
    except ApiError as error:
        return f"runs, and is not ready yet (its events cannot be had: {error})"
    if not events:
        return "runs, and is not ready yet"
    last = max(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    return str(last.get("message", last.get("reason")))
