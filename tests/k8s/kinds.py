"""What the stand-in for Kubernetes has: its kinds, and how it describes them to clients."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of object, and the resource by which it is addressed."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


POD = Kind("", "v1", "Pod", "pods")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SECRET = Kind("", "v1", "Secret", "secrets")
KINDS = (
    CONFIG_MAP,
    POD,
    DEPLOYMENT,
    REPLICA_SET,
    Kind("", "v1", "Namespace", "namespaces", namespaced=False),
    Kind("", "v1", "Node", "nodes", namespaced=False),
    SECRET,
    Kind("", "v1", "Service", "services"),
    Kind("", "v1", "ServiceAccount", "serviceaccounts"),
    Kind("", "v1", "Event", "events"),
    Kind("batch", "v1", "Job", "jobs"),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses"),
    Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    Kind("coordination.k8s.io", "v1", "Lease", "leases"),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
)

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_BY_KIND = {(kind.api_version, kind.kind): kind for kind in KINDS}


def by_path(group: str, version: str, plural: str) -> Kind | None:
    return _BY_PATH.get((group, version, plural))


def kind_of(each: Json) -> Kind:
    return _BY_KIND[each["apiVersion"], each["kind"]]


def describe(path: str) -> Json | None:
    """Return what discovery answers at a path; None where nothing is."""
    if path == "/version":
        return {"major": "1", "minor": "36", "gitVersion": "v1.36.0"}
    if path == "/api":
        return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"]}
    if path == "/apis":
        groups = sorted({(kind.group, kind.version) for kind in KINDS if kind.group})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*each) for each in groups]}
    if path == "/openapi/v3":
        versions = {_root(kind).lstrip("/") for kind in KINDS}
        return {"paths": {each: {"serverRelativeURL": f"/openapi/v3/{each}"} for each in sorted(versions)}}
    if path.startswith("/openapi/v3/"):
        kinds = [kind for kind in KINDS if _root(kind) == path.removeprefix("/openapi/v3")]
        return _openapi(kinds) if kinds else None
    kinds = [kind for kind in KINDS if _root(kind) == path]
    return _resources(kinds) if kinds else None


def _root(kind: Kind) -> str:
    return f"/apis/{kind.api_version}" if kind.group else "/api/v1"


def _group(group: str, version: str) -> Json:
    preferred = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [preferred], "preferredVersion": preferred}


def _resources(kinds: list[Kind]) -> Json:
    resources = [
        {
            "name": kind.plural,
            "singularName": kind.kind.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": _VERBS,
        }
        for kind in kinds
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": kinds[0].api_version,
        "resources": resources,
    }


def _openapi(kinds: list[Kind]) -> Json:
    """As much as tells a client that fields are validated by the server, so that it need not."""
    paths = {
        f"{_root(kind)}/namespaces/{{namespace}}/{kind.plural}/{{name}}": {
            "patch": {
                "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
                "x-kubernetes-group-version-kind": {
                    "group": kind.group,
                    "version": kind.version,
                    "kind": kind.kind,
                },
                "responses": {},
            }
        }
        for kind in kinds
    }
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.0"}, "paths": paths}
