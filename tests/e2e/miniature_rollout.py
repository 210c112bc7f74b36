"""How Deployments change in the miniature: one pod more than wanted while they do, and none less."""

import hashlib
import json
import random

from tests.e2e.miniature_api import DEPLOYMENT, POD, is_leaving, is_ready, leave
from tests.k8s.kinds import Json, kind_of
from tests.k8s.store import Store

_HASH, _REVISION = "pod-template-hash", "deployment.kubernetes.io/revision"
_REPLICA_SET = kind_of({"apiVersion": "apps/v1", "kind": "ReplicaSet"})


def roll(store: Store, deployment: Json) -> None:
    """Go a step towards what a Deployment asks for."""
    spec, namespace = deployment["spec"], deployment["metadata"]["namespace"]
    wanted, template = spec["replicas"], spec["template"]
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
    _keep_revision(store, deployment, digest)
    selector = spec["selector"]["matchLabels"].items()
    pods = [pod for pod in store.all(POD, namespace) if selector <= pod["metadata"]["labels"].items()]
    staying = [pod for pod in pods if not is_leaving(pod)]
    new = [pod for pod in staying if pod["metadata"]["labels"][_HASH] == digest]
    old = [pod for pod in staying if pod not in new]
    ready = [pod for pod in staying if is_ready(pod)]
    if len(new) < wanted and len(staying) < wanted + bool(old):
        _add_pod(store, deployment, digest)
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
    newest = store.find(_REPLICA_SET, namespace, f"{deployment['metadata']['name']}-{digest}")
    set_status(store, newest, {"replicas": len(new), "readyReplicas": ready_new, "observedGeneration": 1})


def _keep_revision(store: Store, deployment: Json, digest: str) -> None:
    """The newest ReplicaSet is that of the template, as `rollout undo` goes by it."""
    meta = deployment["metadata"]
    name = f"{meta['name']}-{digest}"
    sets = {each["metadata"]["name"]: each for each in store.all(_REPLICA_SET, meta["namespace"])}
    revisions = {its: int(each["metadata"]["annotations"][_REVISION]) for its, each in sets.items()}
    latest = max(revisions.values(), default=0)
    if name not in sets:
        template = json.loads(json.dumps(deployment["spec"]["template"]))
        template["metadata"]["labels"][_HASH] = digest
        labels = template["metadata"]["labels"]
        made = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "labels": labels,
                "annotations": {_REVISION: str(latest + 1)},
                "ownerReferences": [_owner(deployment)],
            },
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }
        store.create(made)
    elif revisions[name] < latest:

        def renew(each: Json) -> Json:
            each["metadata"]["annotations"][_REVISION] = str(latest + 1)
            return each

        store.change(_REPLICA_SET, meta["namespace"], name, renew)
    newest = store.find(_REPLICA_SET, meta["namespace"], name)["metadata"]["annotations"][_REVISION]

    def number(each: Json) -> Json:
        each["metadata"].setdefault("annotations", {})[_REVISION] = newest
        return each

    store.change(DEPLOYMENT, meta["namespace"], meta["name"], number)


def _add_pod(store: Store, deployment: Json, digest: str) -> None:
    pod = json.loads(json.dumps(deployment["spec"]["template"]))
    pod |= {"apiVersion": "v1", "kind": "Pod"}
    meta = pod["metadata"]
    meta["labels"][_HASH] = digest
    meta["name"] = f"{deployment['metadata']['name']}-{digest}-{random.randrange(16**5):05x}"
    meta["namespace"] = deployment["metadata"]["namespace"]
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


def _owner(deployment: Json) -> Json:
    meta = deployment["metadata"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }
