"""The ways to the pods: the first that works is taken, and where none does, the remedy is named."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kubernetes import client, config

from tests.e2e.cluster import Cluster
from tests.e2e.load import Load
from tests.e2e.miniature_api import MiniatureApi
from tests.e2e.route import RouteError, open_route

if TYPE_CHECKING:
    from tests.bento.conftest import LiveServer, Serve

NAMESPACE = "sentiment"
NOWHERE = "127.213.7.1"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[MiniatureApi]:
    server = MiniatureApi()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stopping = True
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def connected(api: MiniatureApi, tmp_path: Path) -> Iterator[client.ApiClient]:
    connected = config.new_client_from_config(str(api.write_kubeconfig(tmp_path / "kubeconfig")))
    yield connected
    connected.rest_client.pool_manager.clear()


@pytest.fixture
def cluster(connected: client.ApiClient) -> Cluster:
    return Cluster(connected, NAMESPACE)


@pytest.fixture(scope="module")
def live(serve_alone: "Serve", package_dir: Path) -> Iterator["LiveServer"]:
    with serve_alone(package_dir, VALENCE_MODEL_VERSION="7") as live:
        yield live


@pytest.fixture
def refused() -> Iterator[int]:
    """A port of `NOWHERE` that is taken and not listened on, so that everybody is refused."""
    with socket.socket() as taken:
        taken.bind((NOWHERE, 0))
        yield taken.getsockname()[1]


def publish(api: MiniatureApi, host: str, port: int, node_port: int) -> None:
    """A Service with one pod behind it, on a node that is nowhere."""
    meta = {"name": "valence", "namespace": NAMESPACE}
    ports = [{"name": "http", "port": 80, "targetPort": "http", "nodePort": node_port}]
    store = api.store
    store.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"type": "NodePort", "ports": ports},
        }
    )
    store.create(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "node-0"},
            "spec": {"podCIDR": "10.244.0.0/24"},
            "status": {"addresses": [{"type": "InternalIP", "address": NOWHERE}]},
        }
    )
    store.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "valence-1", "namespace": NAMESPACE},
            "spec": {"containers": [{"name": "valence", "image": "valence:1"}]},
        }
    )
    store.create(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": "valence"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
            "endpoints": [
                {
                    "addresses": [host],
                    "conditions": {"ready": True},
                    "targetRef": {"kind": "Pod", "name": "valence-1"},
                }
            ],
        }
    )


def load_through(api: client.ApiClient, cluster: Cluster, url: str = "") -> tuple[str, set[str]]:
    """Return which way was taken, and the failures and pods of some requests on it."""
    with open_route(api, cluster, url) as route, Load(route.pick, route.way) as load:
        begin = time.monotonic()
        while len((window := load.window(begin)).answers) < 30:
            time.sleep(0.05)
        assert window.failures == []
        assert set(window.versions) == {"7"}
        return route.told, {answer.address.pod for answer in window.answers if answer.address}


def test_pods_are_reached_by_their_addresses(
    api: MiniatureApi, connected: client.ApiClient, cluster: Cluster, live: "LiveServer", refused: int
) -> None:
    publish(api, "127.0.0.1", int(live.url.rpartition(":")[2]), refused)
    told, pods = load_through(connected, cluster)
    assert "pods' addresses" in told
    assert pods == {"valence-1"}


def test_else_through_the_api_server(
    api: MiniatureApi, connected: client.ApiClient, cluster: Cluster, live: "LiveServer", refused: int
) -> None:
    """Signed in and over TLS, as for every other call."""
    publish(api, NOWHERE, refused, refused)
    api.pods[NAMESPACE, "valence-1"] = live.url
    told, pods = load_through(connected, cluster)
    assert "API server's proxy" in told
    assert pods == {"valence-1"}


def test_an_address_that_is_given_is_the_one(
    connected: client.ApiClient, cluster: Cluster, live: "LiveServer"
) -> None:
    told, pods = load_through(connected, cluster, live.url)
    assert told == live.url
    assert pods == {""}


def test_without_any_way_the_remedies_are_named(
    api: MiniatureApi, connected: client.ApiClient, cluster: Cluster, refused: int
) -> None:
    publish(api, NOWHERE, refused, refused)
    with pytest.raises(RouteError) as error, open_route(connected, cluster, ""):
        pass
    told = str(error.value)
    assert f"pod at {NOWHERE}:{refused}" in told
    assert f"node's port at {NOWHERE}:{refused}" in told
    assert "VALENCE_E2E_URL" in told
    assert f"sudo ip route add 10.244.0.0/24 via {NOWHERE}" in told


@pytest.mark.parametrize(
    ("url", "why"), [("localhost:3000", "no http"), ("http://127.0.0.1:9", "does not lead to the release")]
)
def test_a_wrong_address_is_named(connected: client.ApiClient, cluster: Cluster, url: str, why: str) -> None:
    with pytest.raises(RouteError, match=why), open_route(connected, cluster, url):
        pass
