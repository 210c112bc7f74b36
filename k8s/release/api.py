"""The Kubernetes API, as JSON: the official client finds the cluster and signs in, and that is all of it.

Objects stay as the server sent them, so that a newer server's fields are no errors.
"""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from k8s.connecting import NoClusterError, connect
from k8s.release.outcome import ReleaseError

Json = dict[str, Any]

_CONNECT_S = 5
_ANSWER_S = 30
_TRIES = 5
_PATIENCE_S = 120  # with a server that has answered before: a control plane may be renewed meanwhile
_LONGEST_PAUSE_S = 10
_BUSY = 429
_AGAIN = frozenset({_BUSY, 500, 502, 503, 504})
_REMEDIES = {
    401: "; sign in again, as for kubectl",
    403: "; k8s/rbac.yaml lists the rights that a release needs",
}
_MERGE = "application/merge-patch+json"


class ApiError(ReleaseError):
    """The API server refuses, or does not answer.

    Attributes:
        status: Of HTTP; 0 where there was no answer.
        passes: Whether it may be otherwise in a moment.
    """

    def __init__(self, message: str, status: int = 0, *, passes: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.passes = passes


class Api:
    """One cluster and namespace."""

    def __init__(self, *, context: str | None = None, namespace: str | None = None) -> None:
        """Find the cluster as kubectl does.

        Args:
            context: Of the kubeconfig; None: the current one.
            namespace: None: the one that goes with the context.

        Raises:
            ReleaseError: There is none.
        """
        try:
            api, default = connect(context)
        except NoClusterError as error:
            raise ReleaseError(str(error)) from error
        self.namespace = namespace or default
        self._configuration = api.configuration
        self._pool: urllib3.PoolManager = api.rest_client.pool_manager
        self._has_answered = False

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """Return an object or a list; `path` is below the namespace, as in `apps/v1/deployments/valence`.

        Raises:
            ApiError: It is refused, or there is no answer, several times over.
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
        """Call a pod's HTTP server through the API server; otherwise as `get`.

        What the pod itself answers is final, but for 429: a server that fails now and then is to be noticed.
        """
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
        except (urllib3.exceptions.HTTPError, ApiError):  # the first is of a stream that breaks off
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
        until = time.monotonic() + (_PATIENCE_S if self._has_answered else 0)
        tries = 0
        while True:
            tries += 1
            try:
                answer = self._send(method, path, query, body, _ANSWER_S)
            except ApiError as error:
                if not error.passes or (tries >= _TRIES and time.monotonic() >= until):
                    raise
            else:
                self._has_answered = True
                return answer
            time.sleep(min(0.2 * 2**tries, _LONGEST_PAUSE_S))

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
        try:
            answer = self._pool.request(
                method,
                self._configuration.host + self._path(path) + (f"?{urlencode(query)}" if query else ""),
                body=json.dumps(body) if body is not None else None,
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_S, read=timeout_s),
                retries=False,
                preload_content=not stream,
            )
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(
                f"{self._configuration.host}: the API server does not answer ({error}); check with: kubectl "
                "cluster-info"
            ) from error
        if answer.status >= 400:
            raise self._refusal(method, path, answer)
        return answer

    def _path(self, path: str) -> str:
        group, _, rest = path.partition("/")
        root = "/api/v1"
        if group != "v1":
            version, _, rest = rest.partition("/")
            root = f"/apis/{group}/{version}"
        return f"{root}/namespaces/{quote(self.namespace, safe='')}/{rest}"

    def _refusal(self, method: str, path: str, answer: urllib3.BaseHTTPResponse) -> ApiError:
        try:
            found = json.loads(answer.data)
            said, by_server = found["message"], found["kind"] == "Status"
        except (ValueError, KeyError, TypeError):
            said, by_server = answer.data.decode(errors="replace")[:200], "/proxy/" not in path
        passes = answer.status == _BUSY or (by_server and answer.status in _AGAIN)
        remedy = _REMEDIES.get(answer.status, "")
        message = f"{method} {path} in {self.namespace}: {answer.status}: {said}{remedy}"
        return ApiError(message, answer.status, passes=passes)

    def _json(self, answer: urllib3.BaseHTTPResponse) -> Json:
        try:
            found = json.loads(answer.data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            start = answer.data[:80].decode(errors="replace")
            raise ApiError(
                f"{self._configuration.host}: no JSON object, as of Kubernetes, but {start!r}", answer.status
            )
        return found
