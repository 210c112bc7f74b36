"""What makes an API server a cluster, in one thread: the Deployment's controller, and nodes without servers.

A pod's server answers as Valence does, and counts; what becomes of a pod is up to the version of its model,
at once. `tests.e2e.miniature` has the same controller, and nodes whose pods are processes of the real server.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.k8s.api_server import ApiServer
from tests.k8s.fate import Fate
from tests.k8s.kinds import DEPLOYMENT, POD, Json
from tests.k8s.pods import PodServers
from tests.k8s.rollout import is_leaving, roll, set_status
from tests.k8s.store import ApiError


class Cluster:
    """Turns what Deployments want into pods, one at a time, new ones first."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.fates: dict[str, Fate] = {}  # by the version of the model; READY where nothing is said
        self.serves: dict[str, str] = {}  # digest that pods of a version have, where it is not the wanted one
        self.pods = PodServers()
        self._stop = threading.Event()

    def fate(self, version: str, fate: Fate) -> None:
        """Say what becomes of pods with a model, those that there are included."""
        self.fates[version] = fate
        with self.server.store.changed:
            self.server.store.changed.notify_all()

    def run(self) -> None:
        """Reconcile until told to stop."""
        store = self.server.store
        while not self._stop.is_set():
            with store.changed:
                before = store.revision
                for deployment in store.all(DEPLOYMENT):
                    roll(store, deployment)
                for pod in store.all(POD):
                    self._look_after(pod)
                if store.revision == before and not self._stop.is_set():
                    store.changed.wait(0.2)

    def stop(self) -> None:
        self._stop.set()
        with self.server.store.changed:
            self.server.store.changed.notify_all()
        self.pods.close()

    # The kubelet: a pod is what its fate says at once, and is gone as soon as it is told to leave.

    def _look_after(self, pod: Json) -> None:
        where, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        if is_leaving(pod):
            self.server.store.remove(POD, where, name)
            self.pods.end(name)
            return
        model = _model_of(pod)
        if "status" not in pod:
            model["digest"] = self.serves.get(model["version"], model["digest"])
            self.server.pods[where, name] = self.pods.start(where, name, model)
        fate = self.fates.get(model["version"], Fate.READY)
        set_status(self.server.store, pod, fate.status())
        if fate is Fate.CRASHES and (where, f"{name}~") not in self.server.logs:
            self.server.write_log(
                where, f"{name}~", "loading /app/model\nthe digest is sha256:1, not sha256:2\n"
            )
        if fate is Fate.UNREADY:
            self._tell(where, name, "Readiness probe failed: HTTP probe failed with statuscode: 503")
        if fate is Fate.READY:
            self.pods.serve(name)

    def _tell(self, namespace: str, pod: str, message: str) -> None:
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{pod}.1", "namespace": namespace},
            "involvedObject": {"kind": "Pod", "name": pod, "namespace": namespace},
            "type": "Warning",
            "reason": "Unhealthy",
            "message": message,
        }
        try:
            self.server.store.create(event)
        except ApiError:
            return  # as it has been told


def _model_of(pod: Json) -> dict[str, str]:
    env = {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0]["env"]}
    return {
        "name": "valence-sentiment",
        "version": env["VALENCE_MODEL_VERSION"],
        "digest": env["VALENCE_MODEL_DIGEST"],
    }


@contextmanager
def working(server: ApiServer) -> Iterator[Cluster]:
    """Let a cluster work for as long as the context lasts."""
    cluster = Cluster(server)
    thread = threading.Thread(target=cluster.run)
    thread.start()
    try:
        yield cluster
    finally:
        cluster.stop()
        thread.join()
