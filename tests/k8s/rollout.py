"""The controller of Deployments: one pod more than wanted while they change, and none less.

What becomes of pods, once they are made or told to leave, is up to whoever plays the kubelet.
"""

import hashlib
import json
import random

from tests.k8s.kinds import DEPLOYMENT, POD, REPLICA_SET, Json, kind_of
from tests.k8s.store import Store

_HASH, _REVISION = "pod-template-hash", "deployment.kubernetes.io/revision"
_NOW = "2024-01-01T00:00:00Z"


def leave(pod: Json) -> Json:
    """Mark a pod as one that was told to stop."""
    pod["metadata"].setdefault("deletionTimestamp", _NOW)
    return pod


def is_leaving(pod: Json) -> bool:
    """Say whether a pod was told to stop."""
    return "deletionTimestamp" in pod["metadata"]


def is_ready(pod: Json) -> bool:
    """Say whether a pod takes requests."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def roll(store: Store, deployment: Json) -> None:
    """Go a step towards what a Deployment asks for."""
    spec, namespace = deployment["spec"], deployment["metadata"]["namespace"]
    wanted, template = spec.get("replicas", 1), spec["template"]
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
    replica_set = _keep_revision(store, deployment, digest)
    selector = spec["selector"]["matchLabels"].items()
    pods = [pod for pod in store.all(POD, namespace) if selector <= pod["metadata"]["labels"].items()]
    staying = [pod for pod in pods if not is_leaving(pod)]
    new = [pod for pod in staying if pod["metadata"]["labels"][_HASH] == digest]
    old = [pod for pod in staying if pod not in new]
    ready = [pod for pod in staying if is_ready(pod)]
    if len(new) < wanted and len(staying) < wanted + bool(old):
        _add_pod(store, replica_set)
    elif len(new) > wanted:
        _tell_to_leave(store, new[-1])
    for pod in old:
        if not is_ready(pod):
            _tell_to_leave(store, pod)
    if len(ready) > wanted and (leaving := [pod for pod in old if is_ready(pod)]):
        _tell_to_leave(store, leaving[0])
    ready_new = sum(is_ready(pod) for pod in new)
    done = not old and ready_new == len(new) == wanted
    status = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": len(staying),
        "updatedReplicas": len(new),
        "readyReplicas": len(ready),
        "availableReplicas": len(ready),
        "conditions": [
            {"type": "Available", "status": str(len(ready) >= wanted), "reason": "Miniature"},
            {
                "type": "Progressing",
                "status": "True",
                "reason": "NewReplicaSetAvailable" if done else "ReplicaSetUpdated",
            },
        ],
    }
    set_status(store, deployment, status)
    of_new = {"replicas": len(new), "readyReplicas": ready_new, "observedGeneration": 1}
    set_status(store, replica_set, of_new)


def _keep_revision(store: Store, deployment: Json, digest: str) -> Json:
    """Return the ReplicaSet of the template, which is the newest, as `rollout undo` goes by it."""
    meta = deployment["metadata"]
    namespace, name = meta["namespace"], f"{meta['name']}-{digest}"
    sets = {each["metadata"]["name"]: each for each in store.all(REPLICA_SET, namespace)}
    revisions = {its: int(each["metadata"]["annotations"][_REVISION]) for its, each in sets.items()}
    latest = max(revisions.values(), default=0)
    if name not in sets:
        template = json.loads(json.dumps(deployment["spec"]["template"]))
        labels = template["metadata"]["labels"]
        labels[_HASH] = digest
        owners = {"namespace": namespace, "ownerReferences": [_owner(deployment)]}
        made: Json = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": name, "labels": labels, **owners},
            "spec": {
                "replicas": deployment["spec"].get("replicas", 1),
                "selector": {"matchLabels": labels},
                "template": template,
            },
        }
        store.create(made)
        revisions[name] = latest + 1
    revision = str(revisions[name] if revisions[name] >= latest else latest + 1)
    # As the real one does: a Deployment's annotations are its newest ReplicaSet's too.
    annotations = meta.get("annotations", {}) | {_REVISION: revision}

    def annotate(each: Json) -> Json:
        each["metadata"]["annotations"] = each["metadata"].get("annotations", {}) | annotations
        return each

    store.change(DEPLOYMENT, namespace, meta["name"], annotate)
    return store.change(REPLICA_SET, namespace, name, annotate)


def _add_pod(store: Store, replica_set: Json) -> None:
    pod = json.loads(json.dumps(replica_set["spec"]["template"]))
    pod |= {"apiVersion": "v1", "kind": "Pod"}
    its = replica_set["metadata"]
    pod["metadata"] |= {
        "name": f"{its['name']}-{random.randrange(16**5):05x}",
        "namespace": its["namespace"],
        "ownerReferences": [_owner(replica_set)],
    }
    store.create(pod)


def _tell_to_leave(store: Store, pod: Json) -> None:
    store.change(POD, pod["metadata"]["namespace"], pod["metadata"]["name"], leave)


def set_status(store: Store, each: Json, status: Json) -> None:
    """Merge into an object's status."""
    meta = each["metadata"]

    def change(before: Json) -> Json:
        before["status"] = before.get("status", {}) | status
        return before

    store.change(kind_of(each), meta["namespace"], meta["name"], change, status=True)


def _owner(each: Json) -> Json:
    meta = each["metadata"]
    of = {"apiVersion": each["apiVersion"], "kind": each["kind"]}
    return of | {"name": meta["name"], "uid": meta["uid"], "controller": True}
