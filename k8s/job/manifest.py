"""The Job as the cluster is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

USER = 10001
# The image's root is read-only, and training writes beside its code.
_RUN = 'cp -R /app/. /work && cd /work && exec python -m training "$@"'


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        arguments: Of `python -m training`.
        retries: How often a failed run is begun again.
        ttl_s: How long a finished Job stays; its log goes with it.
        gpus: Of NVIDIA's device plugin.
        secrets: Names of Secrets whose keys become environment variables, such as MLFLOW_TRACKING_URI.
    """

    image: str
    arguments: Sequence[str]
    cpu: str
    memory: str
    gpus: int
    retries: int
    ttl_s: int
    tracking_uri: str
    secrets: Sequence[str]
    service_account: str
    pull_secret: str


def make_job(name: str, wish: Wish) -> dict[str, Any]:
    """Return the Job, restricted as Pod Security has it."""
    labels = {"app.kubernetes.io/name": "valence-train", "app.kubernetes.io/managed-by": "k8s.job"}
    amounts = {"cpu": wish.cpu, "memory": wish.memory}
    if wish.gpus:
        amounts["nvidia.com/gpu"] = str(wish.gpus)
    container = {
        "name": "train",
        "image": wish.image,
        "command": ["sh", "-c", _RUN, "train"],
        "args": list(wish.arguments),
        "env": [
            # Its user is not in the image's list of users, and DVC would keep state in /var/tmp.
            {"name": "HOME", "value": "/work"},
            {"name": "USER", "value": "train"},
            {"name": "DVC_SITE_CACHE_DIR", "value": "/tmp/dvc"},  # noqa: S108
            *([{"name": "MLFLOW_TRACKING_URI", "value": wish.tracking_uri}] if wish.tracking_uri else []),
        ],
        "envFrom": [{"secretRef": {"name": secret}} for secret in wish.secrets],
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "work", "mountPath": "/work"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "work", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
    }
    if wish.service_account:
        pod["serviceAccountName"] = wish.service_account
    if wish.pull_secret:
        pod["imagePullSecrets"] = [{"name": wish.pull_secret}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": wish.retries,
            "ttlSecondsAfterFinished": wish.ttl_s,
            # A pod that is moved from its node has not failed: it is begun again and counts as no retry.
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    }
                ]
            },
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
