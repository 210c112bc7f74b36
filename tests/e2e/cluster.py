"""What the suite does to a cluster, and what it looks at, through the Kubernetes API alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from tests.e2e.balancer import Address
from tests.e2e.objects import Object, items, one_shot_pod, read, ready_in, why_not_ready

RELEASE = "valence"
NAMESPACES = {"app.kubernetes.io/managed-by": "valence-e2e"}
_SECURITY = {"pod-security.kubernetes.io/enforce": "restricted"}
_TEMPLATE_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"
_RAW: dict[str, Any] = {"_preload_content": False, "_request_timeout": (5, 30)}
_POLL_S = 0.5


class ClusterError(Exception):
    """The cluster is not as it should be; the message says what it is like."""


class Cluster:
    """One namespace of a cluster, and its nodes."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self.namespace = namespace
        self._api = api
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)
        self._discovery = client.DiscoveryV1Api(api)
        self._policy = client.PolicyV1Api(api)

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make the namespace, and delete it with all that is in it at the end of the context."""
        metadata = {"name": self.namespace, "labels": NAMESPACES | _SECURITY}
        namespace: Any = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self._core.create_namespace(namespace, **_RAW)
        try:
            yield
        finally:
            self._core.delete_namespace(self.namespace, **_RAW)

    def wait_until_deleted(self, within_s: float) -> bool:
        """Say whether the namespace is gone within that time."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            try:
                self._core.read_namespace(self.namespace, **_RAW)
            except ApiException as error:
                if error.status == 404:
                    return True
                raise
            time.sleep(_POLL_S)
        return False

    def ready_addresses(self) -> set[Address]:
        """Return the addresses that the Service's EndpointSlices call ready."""
        found = self._discovery.list_namespaced_endpoint_slice(
            self.namespace, label_selector=f"kubernetes.io/service-name={RELEASE}", **_RAW
        )
        return {address for piece in items(found) for address in ready_in(piece)}

    def service(self) -> Object:
        """Return the Service."""
        return read(self._core.read_namespaced_service(RELEASE, self.namespace, **_RAW))

    def nodes(self) -> list[Object]:
        """Return the cluster's nodes."""
        return items(self._core.list_node(**_RAW))

    def pods(self) -> list[Object]:
        """Return the release's pods, also those that leave."""
        selector = f"app.kubernetes.io/name=valence,app.kubernetes.io/instance={RELEASE}"
        return items(self._core.list_namespaced_pod(self.namespace, label_selector=selector, **_RAW))

    def deployed(self) -> str:
        """Return the model that the Deployment asks for: `name/version@digest`."""
        found = read(self._apps.read_namespaced_deployment(RELEASE, self.namespace, **_RAW))
        pinned: str = found["spec"]["template"]["metadata"]["annotations"]["valence/model"]
        return pinned

    def models(self) -> set[str]:
        """Return what the pods serve that do not leave: `name/version@digest` each."""
        staying = [pod["metadata"] for pod in self.pods() if "deletionTimestamp" not in pod["metadata"]]
        return {metadata["annotations"]["valence/model"] for metadata in staying}

    def wait_until_settled(self, replicas: int, within_s: float) -> None:
        """Wait until so many pods are ready, of one revision, and all others have left.

        Raises:
            ClusterError: It does not come to that within the time.
        """
        deadline = time.monotonic() + within_s
        while (lacking := self._lacking(replicas)) is not None:
            if time.monotonic() > deadline:
                raise ClusterError(f"not settled within {within_s:.0f} s: {lacking}\n{self.describe_pods()}")
            time.sleep(_POLL_S)

    def scale(self, replicas: int) -> None:
        """Set the number of pods, as `kubectl scale` does."""
        body = {"spec": {"replicas": replicas}}
        self._apps.patch_namespaced_deployment_scale(RELEASE, self.namespace, body, **_RAW)

    def delete_pod(self, name: str) -> None:
        """Delete a pod, as `kubectl delete pod` does."""
        self._core.delete_namespaced_pod(name, self.namespace, **_RAW)

    def wait_until_left(self, pod: str, within_s: float) -> None:
        """Wait until a pod is no more.

        Raises:
            ClusterError: It still is after that time.
        """
        deadline = time.monotonic() + within_s
        while pod in {each["metadata"]["name"] for each in self.pods()}:
            if time.monotonic() > deadline:
                raise ClusterError(f"{pod} has not left within {within_s:.0f} s\n{self.describe_pods()}")
            time.sleep(_POLL_S)

    def revisions(self) -> list[Object]:
        """Return the Deployment's ReplicaSets, the newest last."""
        found = self._apps.list_namespaced_replica_set(
            self.namespace, label_selector=f"app.kubernetes.io/instance={RELEASE}", **_RAW
        )
        return sorted(items(found), key=lambda each: int(each["metadata"]["annotations"][_REVISION]))

    def undo_rollout(self) -> None:
        """Put the pod template of the revision before in place, as `kubectl rollout undo` does.

        Raises:
            ClusterError: There is none.
        """
        revisions = self.revisions()
        if len(revisions) < 2:
            raise ClusterError("there is no revision before this one to go back to")
        template = revisions[-2]["spec"]["template"]
        template["metadata"]["labels"].pop(_TEMPLATE_HASH, None)
        self._apps.patch_namespaced_deployment(
            RELEASE,
            self.namespace,
            [{"op": "replace", "path": "/spec/template", "value": template}],
            field_manager="kubectl-rollout",
            **_RAW,
        )

    def set_cordoned(self, node: str, *, cordoned: bool) -> None:
        """Keep new pods away from a node, or let them in again."""
        self._core.patch_node(node, {"spec": {"unschedulable": cordoned}}, **_RAW)

    def evict(self, pod: str) -> bool:
        """Ask for a pod's eviction; False where its budget does not allow it now."""
        body: Any = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        try:
            self._core.create_namespaced_pod_eviction(pod, self.namespace, body, **_RAW)
        except ApiException as error:
            if error.status == 429:
                return False
            if error.status != 404:  # it has left by itself
                raise
        return True

    def run(self, name: str, image: str, code: str, within_s: float) -> str:
        """Run Python code in a pod of an image and return what it prints.

        Raises:
            ClusterError: It fails, or does not end in time.
        """
        self._core.create_namespaced_pod(self.namespace, one_shot_pod(name, image, code), **_RAW)
        deadline = time.monotonic() + within_s
        phase = ""
        pod: Object = {}
        while phase not in ("Succeeded", "Failed"):
            if time.monotonic() > deadline:
                raise ClusterError(f"{image} does not run within {within_s:.0f} s: {why_not_ready(pod)}")
            time.sleep(_POLL_S)
            pod = read(self._core.read_namespaced_pod(name, self.namespace, **_RAW))
            phase = pod.get("status", {}).get("phase", "")
        log = self.log(name)
        if phase == "Failed":
            raise ClusterError(f"{image} cannot be looked into: {log.strip() or why_not_ready(pod)}")
        return log

    def ask_pod(self, pod: str, port: int, path: str) -> str:
        """Return what a pod's server answers to a GET through the API server."""
        name = f"{pod}:{port}"
        answer: Any = self._core.connect_get_namespaced_pod_proxy_with_path(
            name, self.namespace, path, **_RAW
        )
        return bytes(answer.data).decode()

    def log(self, pod: str, *, previous: bool = False) -> str:
        """Return the last lines that a pod wrote; nothing where there are none yet."""
        try:
            answer: Any = self._core.read_namespaced_pod_log(
                pod, self.namespace, tail_lines=20, previous=previous, **_RAW
            )
        except ApiException as error:
            return f"(no log: {error.reason})" if error.status != 400 else ""
        return bytes(answer.data).decode(errors="replace")

    def describe_pods(self) -> str:
        """Return a line for each pod: how it is, and why it is not ready."""
        lines = []
        for pod in self.pods():
            metadata, spec = pod["metadata"], pod["spec"]
            leaving = ", leaving" if "deletionTimestamp" in metadata else ""
            model = metadata.get("annotations", {}).get("valence/model", "")[:60]
            where = spec.get("nodeName", "no node")
            lines.append(f"  {metadata['name']} on {where}: {why_not_ready(pod)}{leaving}; {model}")
        return "\n".join(lines) or "  there are no pods"

    def _lacking(self, replicas: int) -> str | None:
        deployment = read(self._apps.read_namespaced_deployment(RELEASE, self.namespace, **_RAW))
        status = deployment.get("status", {})
        if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
            return "the change was not seen yet"
        counts = {name: status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
        if set(counts.values()) != {replicas}:
            return f"of {replicas} pods there are {counts}"
        there = [
            pod for pod in self.pods() if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")
        ]
        return f"{len(there) - replicas} pods have still to leave" if len(there) != replicas else None
