"""What the stand-in for the Kubernetes API lacks for the suite: subresources, reviews, pods that drain."""

import json
import re
from typing import Any

from tests.k8s.api_server import ApiServer
from tests.k8s.http import Handler
from tests.k8s.kinds import DEPLOYMENT, POD, Json, kind_of
from tests.k8s.rollout import is_leaving, is_ready, leave
from tests.k8s.store import ApiError

_BUDGET = kind_of({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"})
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_OBJECT = re.compile(
    r"/apis?/.*/namespaces/([^/]+)/(deployments|pods)/([^/]+?)(?:/(scale|eviction))?(?:\?.*)?"
)


class MiniatureApi(ApiServer):
    """See the module.

    Attributes:
        denied: What nobody may do, as `patch nodes`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = _Handler
        self.denied: set[str] = set()


class _Handler(Handler):
    server: MiniatureApi

    def _serve(self, verb: str) -> None:
        body: Any = json.loads(self._body) if self._body[:1] in (b"{", b"[") else None
        self.path = self.path.replace("/version/", "/version")
        if "sendInitialEvents" in self.path:  # as a server without streaming lists; clients list then
            raise ApiError(422, "Invalid", "sendInitialEvents is forbidden for watch")
        if self.path.startswith(_REVIEW):
            asked = body["spec"]["resourceAttributes"]
            wanted = f"{asked['verb']} {asked['resource']}"
            return self._send({**body, "status": {"allowed": wanted not in self.server.denied}}, 201)
        match = _OBJECT.fullmatch(self.path)
        if match is None:
            return super()._serve(verb)
        namespace, plural, name, sub = match.groups()
        store = self.server.store
        if plural == "deployments" and verb == "patch" and (sub == "scale" or isinstance(body, list)):

            def change(before: Json) -> Json:
                if sub == "scale":
                    before["spec"]["replicas"] = body["spec"]["replicas"]
                else:
                    (operation,) = body
                    assert (operation["op"], operation["path"]) == ("replace", "/spec/template")
                    before["spec"]["template"] = operation["value"]
                return before

            return self._send(store.change(DEPLOYMENT, namespace, name, change))
        if plural == "pods" and (sub == "eviction" or verb == "delete"):
            if sub == "eviction" and self._protected(namespace):
                raise ApiError(429, "TooManyRequests", "it would violate the pod's disruption budget")
            return self._send(store.change(POD, namespace, name, leave), 201)
        return super()._serve(verb)

    def _protected(self, namespace: str) -> bool:
        store = self.server.store
        (budget,) = store.all(_BUDGET, namespace)
        (deployment,) = store.all(DEPLOYMENT, namespace)
        healthy = sum(is_ready(pod) for pod in store.all(POD, namespace) if not is_leaving(pod))
        least: int = deployment["spec"]["replicas"] - budget["spec"]["maxUnavailable"]
        return healthy - 1 < least
