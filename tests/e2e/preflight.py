"""What is missing, said before anything is changed: a line for each thing that the suite needs."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from scripts.tools import ToolError
from tests.e2e import helm
from tests.e2e.cluster import NAMESPACES, Cluster
from tests.e2e.objects import Object, items, node_addresses, read, ready_in, takes_pods
from tests.e2e.route import routes_to_pods

_KUBELET = 10250  # every node listens there
_LISTED_IMAGES = 50  # of its images, a node tells so many at most (the kubelet's nodeStatusMaxImages)
_WITHIN_S = 2.0
_ASK: dict[str, Any] = {"_preload_content": False, "_request_timeout": (5, 15)}

_IN_NAMESPACE = (  # group, resource, verbs
    ("", "pods", "create get list delete"),
    ("", "pods/log", "get"),
    ("", "services", "create get patch delete"),
    ("", "secrets", "create get list update delete"),
    ("", "serviceaccounts", "create get patch delete"),
    ("apps", "deployments", "create get list watch patch delete"),
    ("apps", "deployments/scale", "patch"),
    ("apps", "replicasets", "get list watch"),
    ("discovery.k8s.io", "endpointslices", "list"),
    ("networking.k8s.io", "networkpolicies", "create get patch delete"),
    ("policy", "poddisruptionbudgets", "create get patch delete"),
    # Of `python -m k8s.release`, which also asks each new pod for a prediction.
    ("", "pods/proxy", "create get"),
    ("", "events", "list"),
)
_OF_THE_CLUSTER = (("", "namespaces", "create get delete"), ("", "nodes", "list"))
_TO_DRAIN = (("", "nodes", "patch"), ("", "pods/eviction", "create"))


class Level(StrEnum):
    """How bad it is."""

    FINE = "ok"
    DOUBTFUL = "warning"
    MISSING = "MISSING"


@dataclass(frozen=True)
class Finding:
    """One line."""

    level: Level
    text: str

    def __str__(self) -> str:
        return f"  {self.level:8} {self.text}"


def unnamed(image: str, other: str) -> Iterator[Finding]:
    """Yield a line for each of the two images that nobody has named."""
    for variable, named in (("VALENCE_IMAGE", image), ("VALENCE_IMAGE_OTHER", other)):
        if not named:
            yield Finding(Level.MISSING, f"{variable}: an image that it names; --help says how to make one")


def no_cluster(error: Exception) -> Finding:
    """Say that there is no cluster to look at; what it lacks is not known either."""
    return Finding(
        Level.MISSING,
        f"a cluster: {_short(error).rstrip('.')}; KUBECONFIG names a file, --context one of its contexts",
    )


def look(api: client.ApiClient, cluster: Cluster, images: list[str], url: str) -> Iterator[Finding]:
    """Yield what is there and what is missing; nothing is changed."""
    host = api.configuration.host
    try:
        version = read(client.VersionApi(api).get_code(**_ASK)).get("gitVersion", "")
        nodes = items(client.CoreV1Api(api).list_node(**_ASK))
    except (ApiException, HTTPError) as error:
        yield Finding(
            Level.MISSING, f"the Kubernetes API at {host}, with leave to list nodes: {_short(error)}"
        )
        return
    yield Finding(Level.FINE, f"Kubernetes {version} at {host}")
    yield _helm()
    yield _permissions(api, cluster.namespace)
    yield from _nodes(nodes)
    for image in images:
        yield _image(image, [node for node in nodes if takes_pods(node)])
    yield _reach(api, nodes, url)
    yield from _leftovers(api)


def _helm() -> Finding:
    try:
        return Finding(Level.FINE, f"helm: {helm.find()}")
    except ToolError as error:
        return Finding(Level.MISSING, f"helm 3 or 4 on the PATH: {error}")


def _permissions(api: client.ApiClient, namespace: str) -> Finding:
    wanted = [(namespace, *each) for each in _IN_NAMESPACE] + [("", *each) for each in _OF_THE_CLUSTER]
    if denied := list(_denied(api, wanted)):
        return Finding(Level.MISSING, f"permission to {'; '.join(denied)}")
    if denied := list(_denied(api, [(namespace, *each) for each in _TO_DRAIN])):
        return Finding(Level.DOUBTFUL, f"no permission to {'; '.join(denied)}: no node can be drained")
    return Finding(Level.FINE, "all permissions")


def _denied(api: client.ApiClient, wanted: list[tuple[str, str, str, str]]) -> Iterator[str]:
    authorization = client.AuthorizationV1Api(api)
    for namespace, group, resource, verbs in wanted:
        name, _, subresource = resource.partition("/")
        refused = []
        for verb in verbs.split():
            asked = {
                "namespace": "" if name in ("nodes", "namespaces") else namespace,
                "group": group,
                "resource": name,
                "subresource": subresource,
                "verb": verb,
            }
            review: Any = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": asked},
            }
            answer = read(authorization.create_self_subject_access_review(review, **_ASK))
            if not answer["status"]["allowed"]:
                refused.append(verb)
        if refused:
            yield f"{', '.join(refused)} {resource}"


def _nodes(nodes: list[Object]) -> Iterator[Finding]:
    fit = [node for node in nodes if takes_pods(node)]
    if not fit:
        yield Finding(
            Level.MISSING, f"a node that takes pods: {len(nodes)} are there, none ready and untainted"
        )
        return
    yield Finding(Level.FINE, f"{len(fit)} of {len(nodes)} nodes take pods")
    if len(fit) == 1:
        yield Finding(Level.DOUBTFUL, "there is one such node, so none can be drained: that case is skipped")


def _image(image: str, nodes: list[Object]) -> Finding:
    names = {image, f"docker.io/{image}", f"docker.io/library/{image}"}
    without = [node for node in nodes if not names & _images(node)]
    if not without:
        return Finding(Level.FINE, f"{image} is on every node")
    where = ", ".join(node["metadata"]["name"] for node in without[:5])
    if image.startswith("localhost/") and all(len(_listed(node)) < _LISTED_IMAGES for node in without):
        return Finding(Level.MISSING, f"{image} on {where}: load it there (kind load docker-image {image})")
    return Finding(
        Level.DOUBTFUL, f"{image} is not among what {where} tells: if it is not there it is pulled"
    )


def _listed(node: Object) -> list[Object]:
    return node.get("status", {}).get("images") or []


def _images(node: Object) -> set[str]:
    return {name for each in _listed(node) for name in each.get("names") or []}


def _reach(api: client.ApiClient, nodes: list[Object], url: str) -> Finding:
    if url:
        return Finding(Level.FINE, f"requests go to VALENCE_E2E_URL, {url}")
    for pod in _pods_that_listen(api, nodes):
        if _answers(*pod):
            return Finding(Level.FINE, f"pods can be reached from here ({pod[0]}:{pod[1]} answers)")
    for node in nodes:
        for address in node_addresses(node):
            if _answers(address, _KUBELET):
                routes = "".join(f"\n{' ' * 11}{command}" for command in routes_to_pods(nodes))
                return Finding(
                    Level.FINE,
                    f"nodes can be reached from here ({address} answers), pods seem not to be: requests go "
                    f"to a node's port, unless you add routes (kind on Linux):{routes}",
                )
    return Finding(
        Level.DOUBTFUL,
        "neither pods nor nodes seem to be reachable from here: requests will go through the API server's "
        "proxy; better set VALENCE_E2E_URL, add a route to the pods, or run this in the cluster's network",
    )


def _pods_that_listen(api: client.ApiClient, nodes: list[Object]) -> list[tuple[str, int]]:
    """Return some of the cluster's DNS, which every cluster has."""
    discovery = client.DiscoveryV1Api(api)
    try:
        pieces = items(discovery.list_namespaced_endpoint_slice("kube-system", **_ASK))
    except ApiException:
        return []  # no leave to look there, so it is not known
    of_nodes = {address for node in nodes for address in node_addresses(node)}
    found = [
        (address.host, port["port"])
        for piece in pieces
        for address in ready_in(piece)
        for port in piece.get("ports") or []
        if port.get("protocol") == "TCP" and port.get("port") and address.host not in of_nodes
    ]
    return found[:4]


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _WITHIN_S).close()
    except ConnectionRefusedError:
        return True  # somebody is there to say no
    except OSError:
        return False
    return True


def _leftovers(api: client.ApiClient) -> Iterator[Finding]:
    selector = ",".join(f"{name}={value}" for name, value in NAMESPACES.items())
    try:
        found = items(client.CoreV1Api(api).list_namespace(label_selector=selector, **_ASK))
    except ApiException:
        return  # to see others' namespaces is no need of ours
    for each in found:
        name = each["metadata"]["name"]
        yield Finding(
            Level.DOUBTFUL, f"an earlier run left something, or one runs: kubectl delete namespace {name}"
        )


def _short(error: Exception) -> str:
    return f"{error.status} {error.reason}" if isinstance(error, ApiException) else str(error)[:200]
