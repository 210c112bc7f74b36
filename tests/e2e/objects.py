"""Objects of Kubernetes as plain JSON: how to read them.

A cluster may be newer than the client library, which drops or refuses fields that it does not know.
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.e2e.balancer import Address

Object = dict[str, Any]

_NODE_ADDRESSES = ("InternalIP", "ExternalIP")


def node_addresses(node: Object) -> list[str]:
    """Return the addresses that a node may be reached at."""
    listed = node.get("status", {}).get("addresses", [])
    return [each["address"] for kind in _NODE_ADDRESSES for each in listed if each["type"] == kind]


def takes_pods(node: Object) -> bool:
    """Say whether pods without tolerations may be put on a node."""
    spec = node.get("spec", {})
    taints = [taint for taint in spec.get("taints") or [] if taint["effect"] != "PreferNoSchedule"]
    conditions = {each["type"]: each["status"] for each in node.get("status", {}).get("conditions", [])}
    return not spec.get("unschedulable") and not taints and conditions.get("Ready") == "True"


def ready_in(piece: Object) -> Iterator[Address]:
    """Yield what an EndpointSlice calls ready."""
    ports = [each["port"] for each in piece.get("ports") or [] if each.get("port")]
    for endpoint in piece.get("endpoints") or []:
        if (endpoint.get("conditions") or {}).get("ready") is False or not ports:
            continue
        pod = (endpoint.get("targetRef") or {}).get("name", "")
        yield Address(endpoint["addresses"][0], ports[0], pod)


def why_not_ready(pod: Object) -> str:
    """Say how a pod is: ready, or what it waits for."""
    status = pod.get("status", {})
    waiting = [
        f"{state['reason']}: {state.get('message', '')}".rstrip(": ")
        for container in status.get("containerStatuses") or []
        for state in [container.get("state", {}).get("waiting") or {}]
        if "reason" in state
    ]
    unmet = [
        f"{each['type']} is false: {each.get('message', '')}"
        for each in status.get("conditions") or []
        if each["status"] == "False" and each.get("message")
    ]
    if not waiting and not unmet and status.get("phase") == "Running":
        return "ready"
    return "; ".join(waiting or unmet[:1]) or status.get("phase", "unknown")


def one_shot_pod(name: str, image: str, code: str) -> Any:  # noqa: ANN401 - the client takes JSON too
    """Return a restricted pod that runs Python code of an image once."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    container = {
        "name": "run",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", code],
        "securityContext": security,
        "resources": {each: {"cpu": "200m", "memory": "128Mi"} for each in ("requests", "limits")},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }


def read(answer: Any) -> Object:  # noqa: ANN401 - urllib3's
    """Return the JSON that the API answered."""
    found: Object = json.loads(answer.data)
    return found


def items(answer: Any) -> list[Object]:  # noqa: ANN401
    """Return the objects of a list that the API answered."""
    return list(read(answer).get("items") or [])
