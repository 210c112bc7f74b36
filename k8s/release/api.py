"""The Kubernetes API, as JSON: the official client finds the cluster and signs in, and that is all of it.

Objects stay as the server sent them, so that a newer server's fields are no errors.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import client, config
from kubernetes.config import ConfigException

from k8s.release.outcome import Exit, ReleaseError

Json = dict[str, Any]

_CONNECT_S = 5
_ANSWER_S = 30
_TRIES = 5
_AGAIN = frozenset({429, 500, 502, 503, 504})
_MERGE = "application/merge-patch+json"


class ApiError(ReleaseError):
    """The API server refused; `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, Exit.STUCK)
        self.status = status


class Api:
    """One cluster and namespace."""

    def __init__(self, *, context: str | None = None, namespace: str | None = None) -> None:
        """Find the cluster as kubectl does: `KUBECONFIG`, `~/.kube/config`, or the pod's own account.

        Raises:
            ReleaseError: There is none.
        """
        try:
            file = os.environ.get("KUBECONFIG")
            self._client = config.new_client_from_config(file, context)
            contexts, active = config.list_kube_config_contexts(file)
            chosen = next((each for each in contexts if each["name"] == context), active)
            default = chosen["context"].get("namespace", "default")
        except ConfigException as error:
            self._client, default = _inside(error)
        self.namespace = namespace or default
        self._configuration = self._client.configuration
        self._pool: urllib3.PoolManager = self._client.rest_client.pool_manager

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """Return an object or a list; `path` is below the namespace, as in `apps/v1/deployments/valence`.

        Raises:
            ApiError: It is refused.
            ReleaseError: There is no answer, several times over.
        """
        return self._json(self._patiently("GET", path, query))

    def patch(self, path: str, patch: Json) -> Json:
        """Apply a JSON merge patch; otherwise as `get`."""
        return self._json(self._patiently("PATCH", path, body=patch))

    def create(self, path: str, each: Json) -> Json:
        """Add an object; otherwise as `get`."""
        return self._json(self._patiently("POST", path, body=each))

    def text(self, path: str, query: Mapping[str, str]) -> str:
        """Return plain text, which a log is; otherwise as `get`."""
        return self._patiently("GET", path, query).data.decode(errors="replace")

    def ask_pod(self, pod: str, path: str, body: Json | None = None, *, port: int = 3000) -> Json:
        """Call a pod's HTTP server through the API server; otherwise as `get`."""
        method = "GET" if body is None else "POST"
        return self._json(self._patiently(method, f"v1/pods/{pod}:{port}/proxy{path}", body=body))

    def await_change(self, path: str, name: str, revision: str, within_s: int) -> None:
        """Return when an object has changed since a revision, the time is up, or nobody can tell any more."""
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": revision,
            "timeoutSeconds": str(within_s),
        }
        started = time.monotonic()
        try:
            for event in self._stream(path, query, within_s + _CONNECT_S):
                if event["type"] == "ERROR":  # 410: that revision is forgotten, so look again
                    break
                return
        except (urllib3.exceptions.HTTPError, ApiError):
            pass  # whoever waits looks at the object itself next, and meets the error there
        time.sleep(max(0.0, min(1.0, started + 1 - time.monotonic())))

    def _stream(self, path: str, query: Mapping[str, str], timeout_s: int) -> Iterator[Json]:
        answer = self._send("GET", path, query, None, timeout_s, stream=True)
        try:
            pending = b""
            for part in answer.stream(amt=None):
                *lines, pending = (pending + part).split(b"\n")
                yield from (json.loads(line) for line in lines if line)
        finally:
            answer.close()

    def _patiently(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Json | None = None
    ) -> urllib3.BaseHTTPResponse:
        for attempt in range(1, _TRIES + 1):
            try:
                return self._send(method, path, query, body, _ANSWER_S)
            except urllib3.exceptions.HTTPError as error:
                if attempt == _TRIES:
                    raise ReleaseError(
                        f"{self._configuration.host}: the API server does not answer ({error}); "
                        "check with: kubectl cluster-info",
                        Exit.STUCK,
                    ) from error
            except ApiError as error:
                if error.status not in _AGAIN or attempt == _TRIES:
                    raise
            time.sleep(0.2 * 2**attempt)
        raise AssertionError("unreachable")

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Json | None,
        timeout_s: int,
        *,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json, */*"}
        for credential in self._configuration.auth_settings().values():
            headers[credential["key"]] = credential["value"]
        if body is not None:
            headers["Content-Type"] = _MERGE if method == "PATCH" else "application/json"
        answer = self._pool.request(
            method,
            self._configuration.host + self._path(path) + (f"?{urlencode(query)}" if query else ""),
            body=json.dumps(body) if body is not None else None,
            headers=headers,
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=timeout_s),
            retries=False,
            preload_content=not stream,
        )
        if answer.status >= 400:
            raise ApiError(self._refusal(method, path, answer), answer.status)
        return answer

    def _path(self, path: str) -> str:
        group, _, rest = path.partition("/")
        root = "/api/v1"
        if group != "v1":
            version, _, rest = rest.partition("/")
            root = f"/apis/{group}/{version}"
        return f"{root}/namespaces/{quote(self.namespace)}/{rest}"

    def _refusal(self, method: str, path: str, answer: urllib3.BaseHTTPResponse) -> str:
        try:
            said = json.loads(answer.data)["message"]
        except (ValueError, KeyError, TypeError):
            said = answer.data.decode(errors="replace")[:200]
        remedy = "; k8s/rbac.yaml lists the rights that a release needs" if answer.status == 403 else ""
        return f"{method} {path} in {self.namespace}: {answer.status}: {said}{remedy}"

    @staticmethod
    def _json(answer: urllib3.BaseHTTPResponse) -> Json:
        found: Json = json.loads(answer.data)
        return found


def _inside(error: ConfigException) -> tuple[Any, str]:
    """Sign in as the pod that this runs in."""
    try:
        configuration = client.Configuration()
        config.load_incluster_config(client_configuration=configuration)
    except ConfigException:
        raise ReleaseError(
            f"no cluster: {error}; set KUBECONFIG, or name one with --context (kubectl config get-contexts)"
        ) from error
    with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace") as file:  # noqa: PTH123
        return client.ApiClient(configuration), file.read().strip()
