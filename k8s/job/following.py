"""Following a Job: what its pods write, why one does not start, and how it all ends.

The cluster is asked again and again instead of watched: nothing that ends a watch or a stream of log lines
(time-outs, expired versions, a new API server) ends the following.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

Say = Callable[[str], None]
Object = dict[str, Any]

_LOOK_S = 2.0
_SILENT_S = 300.0  # after which a stream of log lines is opened anew, as it may be dead
_PATIENCE_S = 120.0  # with an API server that does not answer
_RAW: dict[str, Any] = {"_preload_content": False, "_request_timeout": (5, 30)}


class FollowError(Exception):
    """The Job can be followed no longer; the message says whether it goes on."""


class Follower:
    """Follows one Job to its end.

    Args:
        api: The cluster.
        namespace: Of the Job.
        name: Of the Job.
        write: Takes the lines of its pods.
        say: Takes what is to be said besides.
        look_s: How long to wait between two looks.
    """

    def __init__(
        self, api: client.ApiClient, namespace: str, name: str, write: Say, say: Say, look_s: float = _LOOK_S
    ) -> None:
        self._batch = client.BatchV1Api(api)
        self._core = client.CoreV1Api(api)
        self._namespace, self._name = namespace, name
        self._write, self._say = write, say
        self._look_s = look_s
        self._written: dict[str, int] = {}  # lines of each pod
        self._last_said = ""

    def follow(self) -> int:
        """Return when the Job has ended: 0, or the exit code of its last run.

        Raises:
            FollowError: It was deleted, or the API server does not answer for long.
        """
        failing_since: float | None = None
        while True:
            try:
                job = _read(self._batch.read_namespaced_job(self._name, self._namespace, **_RAW))
                pods = self._pods()
                for pod in pods:
                    self._tell(pod)
                if (end := _end(job)) is not None:
                    return self._conclude(end, pods)
                failing_since = None
            except (ApiException, HTTPError) as error:
                failing_since = failing_since or time.monotonic()
                self._endure(error, since=failing_since)
            time.sleep(self._look_s)

    def _pods(self) -> list[Object]:
        """Return the Job's pods, oldest first."""
        selector = f"batch.kubernetes.io/job-name={self._name}"
        found = _read(self._core.list_namespaced_pod(self._namespace, label_selector=selector, **_RAW))
        return sorted(found["items"], key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))

    def _tell(self, pod: Object) -> None:
        """Write what is new in a pod's log, as long as there is, or say why it has none."""
        name = pod["metadata"]["name"]
        state = _state(pod)
        if not state.keys() & {"running", "terminated"}:
            if (why := _why_not_yet(pod)) != self._last_said:
                self._say(f"{name}: {why}")
                self._last_said = why
            return
        if name not in self._written:
            self._written[name] = 0
            self._say(f"{name} on {pod['spec'].get('nodeName', 'a node')}:")
        try:
            for number, line in enumerate(self._lines(name)):
                if number >= self._written[name]:
                    self._write(line)
                    self._written[name] = number + 1
        except HTTPError:
            return  # silent for long or cut off: the next look goes on where this one ended
        except ApiException as error:
            if error.status not in (400, 404):  # no log yet, or no longer
                raise

    def _lines(self, pod: str) -> Iterator[str]:
        answer: Any = self._core.read_namespaced_pod_log(
            pod, self._namespace, follow=True, _preload_content=False, _request_timeout=(5, _SILENT_S)
        )
        rest = b""
        try:
            for piece in answer.stream():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield line.decode(errors="replace")
            if rest:
                yield rest.decode(errors="replace")
        finally:
            answer.close()

    def _endure(self, error: ApiException | HTTPError, *, since: float) -> None:
        goes_on = f"it goes on without being followed: kubectl logs -f -n {self._namespace} job/{self._name}"
        if isinstance(error, ApiException):
            if error.status == 404:
                raise FollowError(f"job/{self._name} was deleted before it had ended") from error
            if error.status in (401, 403):
                raise FollowError(f"{error.status} {error.reason}; {goes_on}") from error
        if time.monotonic() - since > _PATIENCE_S:
            raise FollowError(f"the API server does not answer: {error}; {goes_on}") from error

    def _conclude(self, end: Object, pods: list[Object]) -> int:
        if end["type"] == "Complete":
            return 0
        ended = [_state(pod)["terminated"] for pod in pods if "terminated" in _state(pod)]
        last = ended[-1] if ended else {}
        self._say(f"job/{self._name} failed: {end.get('reason', '')} {end.get('message', '')}".strip())
        if last.get("reason") == "OOMKilled":
            self._say("it needed more memory than it was given: --memory")
        return int(last.get("exitCode") or 1)


def _end(job: Object) -> Object | None:
    for condition in job.get("status", {}).get("conditions") or []:
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return dict(condition)
    return None


def _state(pod: Object) -> Object:
    (status, *_) = pod.get("status", {}).get("containerStatuses") or [{}]
    return dict(status.get("state") or {})


def _why_not_yet(pod: Object) -> str:
    waiting = _state(pod).get("waiting") or {}
    if reason := waiting.get("reason"):
        return f"{reason} {waiting.get('message', '')}".strip()
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"waits for a node: {condition.get('message', condition.get('reason', ''))}"
    return "is about to start"


def _read(answer: Any) -> Object:  # noqa: ANN401 - urllib3's
    found: Object = json.loads(answer.data)
    return found
