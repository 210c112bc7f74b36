"""A small Kubernetes API server: real HTTP, real objects, no controllers and no nodes.

It answers as the real one does to what this project's tools and helm ask, checks what they send (token,
parameters, content types, schemas, resourceVersions), remembers each call, and refuses, delays or forgets on
demand.
"""

import base64
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path

import yaml

from tests.k8s.asked import Call
from tests.k8s.certificate import certificate
from tests.k8s.http import Handler
from tests.k8s.kinds import Json
from tests.k8s.store import ApiError, Store


@dataclass
class _Fault:
    verb: str
    resource: str
    times: int
    error: ApiError | None
    delay_s: float


class ApiServer(ThreadingHTTPServer):
    """See the module. `store` holds the objects; tests write there what controllers would."""

    daemon_threads = True
    token = "let-me-in"  # noqa: S105 - of a server that lives for one test
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = Store()
        self.calls: list[Call] = []
        self.logs: dict[tuple[str, str], str] = {}  # see write_log
        self.pods: dict[
            tuple[str, str], str
        ] = {}  # where a pod's server really listens: http://127.0.0.1:port
        self.rules: list[Json] | None = None  # of a Role; None: all is allowed
        self.stopping = False
        self.watches_cut = 0
        self._faults: list[_Fault] = []
        self.certificate, self._tls = certificate()

    def get_request(self) -> tuple[socket.socket, object]:
        """Let the connection's own thread do the handshake, so that nobody else waits for it."""
        connection, address = super().get_request()
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients who hang up."""
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def fail(
        self, verb: str, resource: str, code: int, reason: str, *, times: int = 1, message: str = ""
    ) -> None:
        """Refuse the next calls of a kind, as in `fail("patch", "deployments", 409, "Conflict")`."""
        error = ApiError(code, reason, message or f"the stand-in was told to answer {code} {reason}")
        self._faults.append(_Fault(verb, resource, times, error, 0))

    def delay(self, verb: str, resource: str, seconds: float, *, times: int = 1) -> None:
        """Let the next calls of a kind wait before they are answered."""
        self._faults.append(_Fault(verb, resource, times, None, seconds))

    def cut_watches(self) -> None:
        """End all watches that run, as a real server does every few minutes."""
        with self.store.changed:
            self.watches_cut += 1
            self.store.changed.notify_all()

    def admit(self, call: Call) -> None:
        """Note a call, and refuse or delay it where that was asked for or RBAC does not allow it.

        Raises:
            ApiError: It is refused.
        """
        with self.store.changed:
            self.calls.append(call)
            self.store.changed.notify_all()
            fault = next(
                (each for each in self._faults if (each.verb, each.resource) == (call.verb, call.resource)),
                None,
            )
            if fault is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
        if self.rules is not None and not any(_allows(rule, call) for rule in self.rules):
            raise ApiError(
                403,
                "Forbidden",
                f'{call.resource}.{call.group} "{call.name}" is forbidden: User "tester" cannot {call.verb} '
                f'resource "{call.resource}" in API group "{call.group}" in the namespace "{call.namespace}"',
            )
        if fault is not None:
            time.sleep(fault.delay_s)
            if fault.error is not None:
                raise fault.error

    def write_log(self, namespace: str, pod: str, text: str) -> None:
        """Add to what a pod has logged; of its container's life before this one, where `pod` ends in `~`."""
        with self.store.changed:
            self.logs[namespace, pod] = self.logs.get((namespace, pod), "") + text
            self.store.changed.notify_all()

    def write_kubeconfig(self, path: Path, namespace: str = "sentiment") -> Path:
        """Write what `KUBECONFIG` names for this server."""
        context = {"cluster": "stand-in", "user": "tester", "namespace": namespace}
        authority = base64.b64encode(self.certificate.encode()).decode()
        cluster = {"server": self.url, "certificate-authority-data": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stand-in",
            "clusters": [{"name": "stand-in", "cluster": cluster}],
            "users": [{"name": "tester", "user": {"token": self.token}}],
            "contexts": [{"name": "stand-in", "context": context}],
        }
        path.write_text(yaml.safe_dump(config))
        return path


def _allows(rule: Json, call: Call) -> bool:
    return (
        call.group in rule["apiGroups"]
        and call.resource in rule["resources"]
        and call.verb in rule["verbs"]
        and (not rule.get("resourceNames") or call.name in rule["resourceNames"])
    )


@contextmanager
def running() -> Iterator[ApiServer]:
    """Run a server for as long as the context lasts."""
    server = ApiServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stopping = True
        server.cut_watches()
        server.shutdown()
        server.server_close()
        thread.join()
