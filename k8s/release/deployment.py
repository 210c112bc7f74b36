"""The Deployment of a Helm release, its ReplicaSets and its pods."""

from dataclasses import dataclass

from k8s.release.api import Api, Json
from k8s.release.model import Model, from_template
from k8s.release.outcome import Exit, ReleaseError

DEPLOYMENTS = "apps/v1/deployments"
_REPLICA_SETS = "apps/v1/replicasets"
_PODS = "v1/pods"
_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True)
class Rollout:
    """How far a rollout is."""

    deployment: Json
    hash: str | None  # of the new pods; None before there is their ReplicaSet
    pods: tuple[Json, ...]  # all that are not about to go
    new: tuple[Json, ...]  # those of them that the Deployment wants

    @property
    def wanted(self) -> int:
        """How many pods are asked for."""
        return int(self.deployment["spec"].get("replicas", 1))

    @property
    def name(self) -> str:
        """Of the Deployment."""
        return str(self.deployment["metadata"]["name"])

    @property
    def model(self) -> Model | None:
        """The model that the Deployment wants; None where it names none."""
        return from_template(self.deployment)

    @property
    def ready(self) -> int:
        """How many new pods are ready."""
        return sum(is_ready(pod) for pod in self.new)

    @property
    def complete(self) -> bool:
        """Whether new pods serve, and no others: what `kubectl rollout status` waits for."""
        status: dict[str, int] = self.deployment.get("status", {})
        return (
            _is_current(self.deployment)
            and status.get("updatedReplicas", 0) == self.wanted
            and status.get("replicas", 0) == self.wanted
            and status.get("availableReplicas", 0) == self.wanted
        )

    @property
    def stalled(self) -> str | None:
        """What Kubernetes says when it has given up; of what was wanted before, it says nothing of this."""
        if not _is_current(self.deployment):
            return None
        for condition in self.deployment.get("status", {}).get("conditions", []):
            if condition.get("reason") == "ProgressDeadlineExceeded":
                return str(condition.get("message", "the progress deadline is exceeded"))
        return None

    def check_undisturbed(self, model: Model) -> None:
        """See that a model is still the one that the Deployment wants.

        Raises:
            ReleaseError: Somebody else has changed it.
        """
        if self.model != model:
            raise ReleaseError(
                f"somebody has changed the Deployment to {self.model}, where {model} was put; what is there "
                "now stays: see how all stand with `python -m k8s.release status`",
                Exit.STUCK,
            )


def find_deployment(api: Api, release: str) -> Json:
    """Return the Deployment that a Helm release of the chart made.

    Raises:
        ReleaseError: There is none, or several.
    """
    found = api.get(DEPLOYMENTS, {"labelSelector": _selector(release)})["items"]
    if len(found) != 1:
        raise ReleaseError(
            f"{len(found)} Deployments of the Helm release {release} in the namespace {api.namespace}, where "
            "one is expected: check --release and --namespace (helm list -A); with rollout.enabled "
            "Argo Rollouts watches its own canaries"
        )
    (deployment,) = found
    return {"apiVersion": "apps/v1", "kind": "Deployment", **deployment}


def look(api: Api, release: str) -> Rollout:
    """Return how far the rollout is."""
    deployment = find_deployment(api, release)
    query = {"labelSelector": _selector(release)}
    uid = deployment["metadata"]["uid"]
    revision = deployment["metadata"].get("annotations", {}).get(_REVISION)
    hashes = [
        each["metadata"]["labels"][_HASH]
        for each in api.get(_REPLICA_SETS, query)["items"]
        if any(owner["uid"] == uid for owner in each["metadata"].get("ownerReferences", []))
        and each["metadata"].get("annotations", {}).get(_REVISION) == revision
    ]
    wanted = hashes[0] if hashes and _is_current(deployment) else None
    pods = tuple(
        pod for pod in api.get(_PODS, query)["items"] if not pod["metadata"].get("deletionTimestamp")
    )
    new = tuple(pod for pod in pods if wanted and pod["metadata"].get("labels", {}).get(_HASH) == wanted)
    return Rollout(deployment, wanted, pods, new)


def is_ready(pod: Json) -> bool:
    """Whether a pod takes requests."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def restarts(pod: Json) -> int:
    """How often a pod's containers have been started anew."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return sum(each.get("restartCount", 0) for each in statuses)


def _is_current(deployment: Json) -> bool:
    """Whether the status is that of what is wanted now."""
    seen: int = deployment.get("status", {}).get("observedGeneration", 0)
    wanted: int = deployment["metadata"].get("generation", 0)
    return seen >= wanted


def _selector(release: str) -> str:
    return f"app.kubernetes.io/name=valence,app.kubernetes.io/instance={release}"
