"""How requests get from here to the pods: the first way that works."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from tests.e2e.balancer import Address, Balancer
from tests.e2e.cluster import Cluster
from tests.e2e.connection import Way
from tests.e2e.objects import Object, node_addresses

_WITHIN_S = 3.0
_BALANCER_WITHIN_S = 180.0  # that a cloud makes a load balancer and it answers
_LOOK_EVERY_S = 0.5

Pick = Callable[[], Address | None]


class RouteError(Exception):
    """No request gets there; the message says what was tried and what helps."""


@dataclass(frozen=True)
class Route:
    """Where requests go.

    Attributes:
        told: In words.
        names_pods: Whether the suite itself chooses the pod, and so knows who failed.
    """

    pick: Pick
    way: Way
    told: str
    names_pods: bool


@contextmanager
def open_route(api: client.ApiClient, cluster: Cluster, url: str) -> Iterator[Route]:
    """Yield the first way that reaches the release, which is ready.

    Raises:
        RouteError: There is none.
    """
    if url:
        route = _at(url)
        if error := _keeps_refusing(route, 10):
            raise RouteError(f"VALENCE_E2E_URL, {url}, does not lead to the release: {error}")
        yield route
        return
    service = cluster.service()
    if service["spec"]["type"] == "LoadBalancer":
        yield _by_load_balancer(cluster)
        return
    with _following(cluster) as balancer:
        yield _by_pods_or_nodes(api, cluster, service, balancer)


def _by_load_balancer(cluster: Cluster) -> Route:
    deadline = time.monotonic() + _BALANCER_WITHIN_S
    said = "it has no address yet"
    while time.monotonic() < deadline:
        service = cluster.service()
        port = service["spec"]["ports"][0]["port"]
        for each in service.get("status", {}).get("loadBalancer", {}).get("ingress") or []:
            scheme = "https" if port == 443 else "http"
            route = _at(f"{scheme}://{_bracketed(each.get('hostname') or each['ip'])}:{port}")
            said = _refuses(route)
            if not said:
                return route
        time.sleep(_LOOK_EVERY_S)
    raise RouteError(
        f"the Service's load balancer does not answer within {_BALANCER_WITHIN_S:.0f} s: {said}. Is there a "
        "controller for them, and may this machine reach it? Else leave service.type out of --values"
    )


def _by_pods_or_nodes(api: client.ApiClient, cluster: Cluster, service: Object, balancer: Balancer) -> Route:
    def pick() -> Address | None:
        return balancer.pick(time.monotonic())

    by_pods = Route(pick, Way(), "pods' addresses, in turns among the ready endpoints", names_pods=True)
    tried = []
    refusals = {str(address): _refuses(by_pods, address) for address in balancer.addresses()}
    if refusals and not any(refusals.values()):
        return by_pods
    tried += [f"pod at {address}: {error}" for address, error in refusals.items() if error]
    nodes = cluster.nodes()
    for node in nodes:
        for host in node_addresses(node):
            if (port := service["spec"]["ports"][0].get("nodePort")) is None:
                continue
            route = _at(f"http://{_bracketed(host)}:{port}")
            if not (error := _keeps_refusing(route, 3)):
                return route
            tried.append(f"node's port at {host}:{port}: {error}")
    proxied = _by_proxy(api, cluster.namespace, pick)
    errors = [_refuses(proxied, address) for address in balancer.addresses()]
    if errors and not any(errors):
        return proxied
    tried += [f"the API server's proxy: {error}" for error in errors if error][:1]
    raise RouteError("\n".join(["no request gets to the pods from here:", *tried, *_remedies(nodes)]))


def _by_proxy(api: client.ApiClient, namespace: str, pick: Pick) -> Route:
    """Through the API server: it works wherever the API does, if `pods/proxy` is allowed."""
    configuration = api.configuration
    parts = urlsplit(configuration.host)
    tls = None
    if parts.scheme == "https":
        tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if configuration.cert_file:
            tls.load_cert_chain(configuration.cert_file, configuration.key_file)
        if not configuration.verify_ssl:  # as the kubeconfig says, for the API's other calls too
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE

    def headers() -> str:
        credentials = configuration.auth_settings().values()  # renewed where a token ends in minutes
        return "".join(f"{each['key']}: {each['value']}\r\n" for each in credentials)

    way = Way(
        tls=tls,
        authority=parts.netloc,
        prefix=f"{parts.path.rstrip('/')}/api/v1/namespaces/{namespace}/pods/{{pod}}:{{port}}/proxy",
        via=(parts.hostname or "", parts.port or (443 if tls else 80)),
        headers=headers,
    )
    return Route(pick, way, "the API server's proxy, in turns among the ready endpoints", names_pods=True)


def _at(url: str) -> Route:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RouteError(f"{url} is no http:// or https:// address")
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    address = Address(parts.hostname, parts.port or (443 if tls else 80))
    way = Way(tls=tls, authority=parts.netloc, prefix=parts.path.rstrip("/"))
    return Route(lambda: address, way, url, names_pods=False)


def _refuses(route: Route, address: Address | None = None) -> str:
    """Return why a prediction does not get through, nothing where it does."""
    address = address or route.pick()
    if address is None:
        return "nobody is ready"
    way = route.way
    host, port = way.via or (address.host, address.port)
    connection = http.client.HTTPConnection(host, port, timeout=_WITHIN_S)
    try:
        if way.tls:
            plain = socket.create_connection((host, port), _WITHIN_S)
            connection.sock = way.tls.wrap_socket(plain, server_hostname=host)
        headers = {"Host": way.authority or str(address), "Content-Type": "application/json"}
        for line in way.headers().splitlines():
            name, _, value = line.partition(": ")
            headers[name] = value
        path = way.prefix.format(pod=address.pod, port=address.port) + "/predict"
        connection.request("POST", path, '{"text": "hello"}', headers)
        answer = connection.getresponse()
        content = answer.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if answer.status == 200 else f"{answer.status} {content}"


def _keeps_refusing(route: Route, within_s: float) -> str:
    """Return why predictions still do not get through after a time, nothing as soon as one does."""
    deadline = time.monotonic() + within_s
    while (error := _refuses(route)) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    return error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextmanager
def _following(cluster: Cluster) -> Iterator[Balancer]:
    """Keep a balancer informed of the ready endpoints, by asking again and again: no watch that can end."""
    balancer = Balancer()
    balancer.update(cluster.ready_addresses(), time.monotonic())
    stop = threading.Event()

    def follow() -> None:
        while not stop.wait(_LOOK_EVERY_S):
            try:
                ready = cluster.ready_addresses()
            except (ApiException, HTTPError):
                continue  # the endpoints are as they were last heard of, as for every load balancer
            balancer.update(ready, time.monotonic())

    follower = threading.Thread(target=follow, name="endpoints", daemon=True)
    follower.start()
    try:
        yield balancer
    finally:
        stop.set()
        follower.join()


def routes_to_pods(nodes: list[Object]) -> Iterator[str]:
    """Yield the commands that make pods reachable from a machine that reaches the nodes, as on kind."""
    for node in nodes:
        cidr, addresses = node.get("spec", {}).get("podCIDR"), node_addresses(node)
        if cidr and addresses:
            yield f"sudo ip route add {cidr} via {addresses[0]}"


def _remedies(nodes: list[Object]) -> Iterator[str]:
    yield "One of these helps; `kubectl port-forward` does not, as it ends with its pod:"
    yield "- run this on a machine inside the cluster's network (a node; on EKS an instance in the VPC)"
    yield "- VALENCE_E2E_URL=… with the address of a load balancer or an ingress (python -m tests.e2e --help)"
    yield from (f"- {command}    # kind on Linux" for command in routes_to_pods(nodes))
