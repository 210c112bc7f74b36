"""What every case acts on: the release, the models, the load; and what it says of what it does."""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.cluster import Cluster, ClusterError
from tests.e2e.helm import Helm, HelmError, Values
from tests.e2e.load import Load
from tests.e2e.objects import node_addresses
from tests.e2e.options import REPLICAS, image_values
from tests.e2e.route import Route

READY_WITHIN_S = 180
SETTLED_WITHIN_S = 180  # a drain of three pods, one after the other, and what a busy cluster adds
# The chart's, and the range that some networks give to pods and nodes.
_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
# A package's identity is the digest of its manifest.
_LOOK_INTO_IT = """
import hashlib, json, pathlib
manifest = pathlib.Path("/app/model/manifest.json").read_bytes()
digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
print(json.dumps({"name": json.loads(manifest)["name"], "digest": digest}))
"""


class CaseError(Exception):
    """What a case promises is not so."""


class SkippedError(Exception):
    """A case cannot be tried on this cluster."""


@dataclass(frozen=True)
class Model:
    """One image and the model in it, under a version of its own."""

    image: str
    name: str
    version: str
    digest: str

    @property
    def pinned(self) -> str:
        """As the pods are annotated."""
        return f"{self.name}/{self.version}@{self.digest}"

    @property
    def values(self) -> Values:
        """As Helm is told."""
        pinned = {"name": self.name, "version": self.version, "digest": self.digest}
        return {"image": image_values(self.image), "model": pinned}


@dataclass
class Scene:
    """See the module.

    Attributes:
        folder: Where files may be left.
        current: What was last put in place.
    """

    cluster: Cluster
    helm: Helm
    route: Route
    load: Load
    first: Model
    other: Model
    base: Values
    folder: Path
    say: Callable[[str], None]
    current: Model = field(init=False)

    def __post_init__(self) -> None:
        self.current = self.first

    def values(self, model: Model) -> Values:
        """Return all values of a release of a model."""
        return self.base | model.values

    def upgrade(self, model: Model) -> None:
        """Roll a model out, and wait until it alone is there."""
        self.say(f"helm upgrade to model version {model.version}, {model.digest[:19]}…")
        self.current = model
        try:
            self.helm.upgrade(self.values(model), timeout_s=READY_WITHIN_S)
        except HelmError as error:
            raise CaseError(f"{error}\n{self.cluster.describe_pods()}") from error
        self.settle()

    def settle(self, replicas: int = REPLICAS) -> None:
        """Wait until so many pods are ready and all others have left, all of the current model.

        Raises:
            CaseError: They serve something else.
        """
        self.cluster.wait_until_settled(replicas, SETTLED_WITHIN_S)
        if (models := self.cluster.models()) != {self.current.pinned}:
            raise CaseError(f"the pods should serve {self.current.pinned}, and serve {', '.join(models)}")

    def begin(self) -> None:
        """Have the release as a case expects it, whatever the one before left."""
        try:
            self.cluster.wait_until_settled(REPLICAS, 1)
        except ClusterError:
            calm = False
        else:
            calm = self.cluster.models() == {self.current.pinned}
        if not calm:
            self.say("what the case before left is put in order first")
            self.upgrade(self.current)

    def expect_answers_of(self, *models: Model, since: float) -> None:
        """See that every one of these models answered since then, and no other.

        Raises:
            CaseError: It is not so.
        """
        answered = {answer.digest for answer in self.load.window(since).answers if answer.digest}
        if answered != {model.digest for model in models}:
            wanted = ", ".join(model.version for model in models)
            raise CaseError(f"model versions {wanted} should have answered; the digests that did: {answered}")


def look_into(cluster: Cluster, image: str, version: str) -> Model:
    """Find out which model is in an image, by running a pod of it."""
    name = f"look-into-{version}"
    told: dict[str, Any] = json.loads(cluster.run(name, image, _LOOK_INTO_IT, READY_WITHIN_S))
    cluster.delete_pod(name)
    return Model(image, told["name"], version, told["digest"])


def base_values(cluster: Cluster) -> Values:
    """Return what the suite sets besides the model; everything else is as the chart ships it."""
    ours = {_own_address(address) for node in cluster.nodes() for address in node_addresses(node)}
    of_nodes = {address for node in cluster.nodes() for address in node_addresses(node)}
    pods = {cidr for node in cluster.nodes() for cidr in node["spec"].get("podCIDRs") or []}
    single = {f"{each}/{128 if ':' in each else 32}" for each in ours | of_nodes if each}
    networks = [*_NETWORKS, *sorted(single | pods)]
    return {
        "replicas": REPLICAS,
        "resources": {"cpu": "500m", "memory": "512Mi"},
        "service": {"type": "NodePort"},
        # This machine, and nodes that stand for it where they rewrite addresses.
        "networkPolicy": {"from": [{"ipBlock": {"cidr": network}} for network in networks]},
    }


def now() -> float:
    """Return the time by which the load counts."""
    return time.monotonic()


def _own_address(towards: str) -> str:
    """Return the address of this machine that packets to another come from; empty where none would."""
    family = socket.AF_INET6 if ":" in towards else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))  # sends nothing
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
        return address
