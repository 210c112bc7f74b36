"""What can become of a pod, as the API server shows it."""

from enum import Enum

from tests.k8s.kinds import Json

_IMAGE = "localhost/valence:none"


class Fate(Enum):
    READY = "ready"
    RESTARTED = "ready, after a crash"
    UNREADY = "runs, and its readiness probe fails"
    UNSCHEDULABLE = "no node has room"
    NO_IMAGE = "its image is not to be had"
    CRASHES = "its server exits"

    def status(self) -> Json:
        if self is Fate.UNSCHEDULABLE:
            why = "0/3 nodes are available: 3 Insufficient cpu."
            scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            return {"phase": "Pending", "conditions": [scheduled]}
        ready = self in (Fate.READY, Fate.RESTARTED)
        return {
            "phase": "Running" if ready or self is Fate.UNREADY else "Pending",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "valence", "image": _IMAGE, "ready": ready, **self._container()}],
        }

    def _container(self) -> Json:
        exited = {"terminated": {"exitCode": 1, "reason": "Error"}}
        match self:
            case Fate.NO_IMAGE:
                waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{_IMAGE}"'}
                return {"restartCount": 0, "state": {"waiting": waiting}}
            case Fate.CRASHES:
                waiting = {
                    "reason": "CrashLoopBackOff",
                    "message": "back-off 40s restarting failed container",
                }
                return {"restartCount": 3, "state": {"waiting": waiting}, "lastState": exited}
            case Fate.RESTARTED:
                return {"restartCount": 1, "state": {"running": {}}, "lastState": exited}
            case _:
                return {"restartCount": 0, "state": {"running": {}}}
