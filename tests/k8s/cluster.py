"""What makes an API server a cluster, in one thread: the Deployment's controller, a scheduler and nodes.

A pod's server answers as Valence does, and counts; what becomes of a pod is up to the version of its model.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.k8s.api_server import ApiServer
from tests.k8s.fate import Fate
from tests.k8s.kinds import DEPLOYMENT, POD, REPLICA_SET, Json, Kind
from tests.k8s.pods import PodServers
from tests.k8s.store import ApiError

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"


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
                    self._reconcile(deployment)
                if store.revision == before and not self._stop.is_set():
                    store.changed.wait(0.2)

    def stop(self) -> None:
        self._stop.set()
        with self.server.store.changed:
            self.server.store.changed.notify_all()
        self.pods.close()

    def _reconcile(self, deployment: Json) -> None:
        spec, meta = deployment["spec"], deployment["metadata"]
        replica_set = self._replica_set(deployment)
        wanted = spec.get("replicas", 1)
        mine = [
            pod
            for pod in self.server.store.all(POD, meta["namespace"])
            if pod["metadata"]["labels"].items() >= spec["selector"]["matchLabels"].items()
        ]
        new = [
            pod
            for pod in mine
            if pod["metadata"]["labels"][_HASH] == replica_set["metadata"]["labels"][_HASH]
        ]
        old = [pod for pod in mine if pod not in new]
        for pod in new:
            self._live(pod)
        ready = [pod for pod in new if _is_ready(pod)]
        if len(new) < wanted and len(mine) <= wanted:
            self._start(deployment, replica_set)
        elif old and len(ready) + len(old) > wanted:
            self._end(old[0])
        elif len(new) > wanted:
            self._end(new[-1])
        status = {
            "observedGeneration": meta["generation"],
            "replicas": len(mine),
            "updatedReplicas": len(new),
            "readyReplicas": len(ready) + len(old),
            "availableReplicas": len(ready) + len(old),
        }
        self._change(DEPLOYMENT, deployment, {"status": status}, status=True)

    def _replica_set(self, deployment: Json) -> Json:
        store, meta, template = self.server.store, deployment["metadata"], deployment["spec"]["template"]
        found = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        name = f"{meta['name']}-{found}"
        sets = store.all(REPLICA_SET, meta["namespace"])
        newest = max((int(each["metadata"]["annotations"][_REVISION]) for each in sets), default=0)
        existing = next((each for each in sets if each["metadata"]["name"] == name), None)
        if existing is None:
            labels = template["metadata"]["labels"] | {_HASH: found}
            existing = store.create(
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "metadata": {
                        "name": name,
                        "namespace": meta["namespace"],
                        "labels": labels,
                        "annotations": meta.get("annotations", {}) | {_REVISION: str(newest + 1)},
                        "ownerReferences": [_owner(deployment)],
                    },
                    "spec": {
                        "replicas": deployment["spec"].get("replicas", 1),
                        "selector": {"matchLabels": labels},
                        "template": {**template, "metadata": template["metadata"] | {"labels": labels}},
                    },
                }
            )
        elif existing["metadata"]["annotations"][_REVISION] != str(newest):
            existing = self._change(REPLICA_SET, existing, _annotated(_REVISION, str(newest + 1)))
        copied = {**meta.get("annotations", {}), _REVISION: existing["metadata"]["annotations"][_REVISION]}
        existing = self._change(REPLICA_SET, existing, {"metadata": {"annotations": copied}})
        revision = existing["metadata"]["annotations"][_REVISION]
        if meta.get("annotations", {}).get(_REVISION) != revision:
            self._change(DEPLOYMENT, deployment, _annotated(_REVISION, revision))
        return existing

    def _start(self, deployment: Json, replica_set: Json) -> None:
        template = replica_set["spec"]["template"]
        meta = template["metadata"] | {
            "generateName": f"{replica_set['metadata']['name']}-",
            "namespace": deployment["metadata"]["namespace"],
            "ownerReferences": [_owner(replica_set)],
        }
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
        pod = self.server.store.create(body)
        model, at = _model_of(pod), pod["metadata"]
        model["digest"] = self.serves.get(model["version"], model["digest"])
        self.server.pods[at["namespace"], at["name"]] = self.pods.start(at["namespace"], at["name"], model)
        self._live(pod)

    def _live(self, pod: Json) -> None:
        fate = self.fates.get(_model_of(pod)["version"], Fate.READY)
        where, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self._change(POD, pod, {"status": fate.status()}, status=True)
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

    def _end(self, pod: Json) -> None:
        where, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self.server.store.remove(POD, where, name)
        self.pods.end(name)

    def _change(self, kind: Kind, each: Json, by: Json, *, status: bool = False) -> Json:
        meta = each["metadata"]

        def how(before: Json) -> Json:
            if status:
                return {**before, **by}
            annotations = before["metadata"].get("annotations", {}) | by["metadata"]["annotations"]
            return {**before, "metadata": before["metadata"] | {"annotations": annotations}}

        return self.server.store.change(kind, meta["namespace"], meta["name"], how, status=status)


def _annotated(name: str, value: str) -> Json:
    return {"metadata": {"annotations": {name: value}}}


def _owner(each: Json) -> Json:
    meta = each["metadata"]
    return {
        "apiVersion": each["apiVersion"],
        "kind": each["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }


def _is_ready(pod: Json) -> bool:
    return any(each == {"type": "Ready", "status": "True"} for each in pod["status"].get("conditions", []))


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
