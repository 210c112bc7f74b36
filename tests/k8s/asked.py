"""What a request to the stand-in for Kubernetes asks for, read from its path and its parameters."""

import re
import urllib.parse
from dataclasses import dataclass

from tests.k8s.kinds import Kind, by_path
from tests.k8s.store import ApiError

_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>log|status|proxy)(?P<rest>/.*)?)?"
)
_LISTED = {"labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch"}
PARAMETERS = {
    "get": {"pretty", "resourceVersion"},
    "list": {*_LISTED, "timeoutSeconds", "pretty"},
    "watch": {*_LISTED, "timeoutSeconds", "watch", "allowWatchBookmarks", "sendInitialEvents", "pretty"},
    "create": {"dryRun", "fieldManager", "fieldValidation", "pretty"},
    "update": {"dryRun", "fieldManager", "fieldValidation", "pretty"},
    "patch": {"dryRun", "fieldManager", "fieldValidation", "force", "pretty"},
    "delete": {"gracePeriodSeconds", "propagationPolicy", "dryRun", "orphanDependents", "pretty"},
    "deletecollection": {*_LISTED, "gracePeriodSeconds", "propagationPolicy", "pretty"},
}
LOG_PARAMETERS = {"container", "follow", "previous", "tailLines", "timestamps", "sinceSeconds", "limitBytes"}


@dataclass(frozen=True)
class Call:
    """What somebody asked for, in the words of RBAC."""

    verb: str
    group: str
    resource: str  # with its subresource: pods/log
    namespace: str
    name: str
    agent: str = ""  # who asked, in its own words


@dataclass(frozen=True)
class Asked:
    """A request about objects."""

    kind: Kind
    namespace: str | None
    name: str
    sub: str
    rest: str
    query: dict[str, str]


def parse(url: urllib.parse.SplitResult) -> Asked:
    match = _PATH.fullmatch(url.path)
    kind = match and by_path(match["group"] or "", match["core"] or match["version"], match["plural"])
    if not match or not kind:
        raise ApiError(404, "NotFound", "the server could not find the requested resource")
    if match["namespace"] and not kind.namespaced:
        raise ApiError(404, "NotFound", f"{kind.plural} have no namespace")
    name = urllib.parse.unquote(match["name"] or "")
    query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
    return Asked(kind, match["namespace"], name, match["sub"] or "", match["rest"] or "", query)
