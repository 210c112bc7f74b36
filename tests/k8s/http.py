"""The stand-in for Kubernetes as its clients see it: paths, parameters, content types, streams."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import yaml

from tests.k8s.asked import LOG_PARAMETERS, PARAMETERS, Asked, Call, parse
from tests.k8s.kinds import Json, describe, kind_of
from tests.k8s.patches import apply_operations, merge, strategic_merge
from tests.k8s.protobuf import MEDIA_TYPE, read_secret
from tests.k8s.selectors import selected
from tests.k8s.store import ApiError, Change

if TYPE_CHECKING:
    from tests.k8s.api_server import ApiServer

_PATCHES = {
    "application/json-patch+json": apply_operations,
    "application/merge-patch+json": merge,
    "application/strategic-merge-patch+json": strategic_merge,
    "application/apply-patch+yaml": strategic_merge,
}


class Handler(BaseHTTPRequestHandler):
    """One connection to the server."""

    server: "ApiServer"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer("get")

    def do_POST(self) -> None:
        self._answer("create")

    def do_PUT(self) -> None:
        self._answer("update")

    def do_PATCH(self) -> None:
        self._answer("patch")

    def do_DELETE(self) -> None:
        self._answer("delete")

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, verb: str) -> None:
        self._body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._serve(verb)
        except ApiError as error:
            self._send(error.status, error.code)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _serve(self, verb: str) -> None:
        url = urllib.parse.urlsplit(self.path)
        if self.headers["Authorization"] != f"Bearer {self.server.token}":
            raise ApiError(401, "Unauthorized", "Unauthorized")
        if verb == "get" and (description := describe(url.path)) is not None:
            return self._send(description)
        asked = parse(url)
        if not asked.name and verb in ("get", "delete"):
            verb = {"get": "list", "delete": "deletecollection"}[verb]
            if verb == "list" and asked.query.get("watch") in ("true", "True", "1"):
                verb = "watch"
        if asked.sub == "proxy":
            verb = {"GET": "get", "POST": "create"}[self.command]
        resource = asked.kind.plural + (f"/{asked.sub}" if asked.sub else "")
        name = asked.name.partition(":")[0]
        agent = self.headers["User-Agent"] or ""
        self.server.admit(Call(verb, asked.kind.group, resource, asked.namespace or "", name, agent))
        if asked.sub == "proxy":
            return self._proxy(asked)
        if asked.sub == "log":
            return self._log(asked)
        unknown = asked.query.keys() - PARAMETERS[verb]
        if unknown:
            raise ApiError(400, "BadRequest", f"unknown parameters for {verb}: {sorted(unknown)}")
        return getattr(self, f"_{verb}")(asked)  # type: ignore[no-any-return]

    def _get(self, asked: Asked) -> None:
        self._send(self.server.store.find(asked.kind, asked.namespace or "", asked.name))

    def _list(self, asked: Asked) -> None:
        store = self.server.store
        with store.changed:
            found = store.all(asked.kind, asked.namespace)
            revision = str(store.revision)
        labels, fields = asked.query.get("labelSelector", ""), asked.query.get("fieldSelector", "")
        self._send(
            {
                "kind": f"{asked.kind.kind}List",
                "apiVersion": asked.kind.api_version,
                "metadata": {"resourceVersion": revision},
                "items": [each for each in found if selected(each, labels, fields)],
            }
        )

    def _watch(self, asked: Asked) -> None:
        store, server = self.server.store, self.server
        deadline = time.monotonic() + float(asked.query.get("timeoutSeconds") or 300)
        start = asked.query.get("resourceVersion") or "0"
        self._begin_stream()
        with store.changed:
            cut = server.watches_cut
            if start == "0":
                at = store.revision
                first = [Change(at, "ADDED", asked.kind, each) for each in store.all(asked.kind)]
            else:
                at, first = int(start), []
        for change in first:
            self._tell(asked, change)
        while True:
            with store.changed:
                if at < store.oldest:
                    gone = ApiError(410, "Expired", f"too old resource version: {at} ({store.oldest})")
                    self._chunk({"type": "ERROR", "object": gone.status})
                    break
                new = [change for change in store.changes if change.revision > at]
                if not new:
                    left = deadline - time.monotonic()
                    if left <= 0 or server.watches_cut != cut or server.stopping:
                        break
                    store.changed.wait(min(left, 1))
                    continue
                at = new[-1].revision
            for change in new:
                self._tell(asked, change)
        self._end_stream()

    def _tell(self, asked: Asked, change: Change) -> None:
        its = change.object["metadata"]
        if change.kind != asked.kind or asked.namespace not in (None, its.get("namespace", "")):
            return
        labels, fields = asked.query.get("labelSelector", ""), asked.query.get("fieldSelector", "")
        if selected(change.object, labels, fields):
            self._chunk({"type": change.type, "object": change.object})

    def _create(self, asked: Asked) -> None:
        each = self._object(asked)
        if asked.query.get("dryRun"):
            return self._send(each, 201)
        return self._send(self.server.store.create(each), 201)

    def _update(self, asked: Asked) -> None:
        each = self._object(asked)
        self._change(asked, lambda _: each)

    def _patch(self, asked: Asked) -> None:
        content = self.headers["Content-Type"].partition(";")[0]
        if content not in _PATCHES:
            raise ApiError(415, "UnsupportedMediaType", f"{content} is not among {sorted(_PATCHES)}")
        patch = yaml.safe_load(self._body)
        if content == "application/apply-patch+yaml":
            if not asked.query.get("fieldManager"):
                raise ApiError(400, "BadRequest", "fieldManager is required for apply patch")
            self._check(asked, patch)
            try:
                self.server.store.find(asked.kind, asked.namespace or "", asked.name)
            except ApiError:
                return self._send(self.server.store.create(patch), 201)
        return self._change(asked, lambda before: _PATCHES[content](before, patch))

    def _change(self, asked: Asked, how: Any) -> None:  # noqa: ANN401 - Callable[[Json], Json]
        store, status = self.server.store, asked.sub == "status"
        self._send(store.change(asked.kind, asked.namespace or "", asked.name, how, status=status))

    def _delete(self, asked: Asked) -> None:
        content = (self.headers["Content-Type"] or "").partition(";")[0]
        # Helm 4 sends its options as protobuf, and they are the usual ones.
        options = json.loads(self._body) if self._body and content != MEDIA_TYPE else {}
        policy = options.get("propagationPolicy") or asked.query.get("propagationPolicy") or "Background"
        if policy not in ("Background", "Foreground", "Orphan"):
            raise ApiError(422, "Invalid", f"propagationPolicy: {policy}")
        dependents = policy != "Orphan"
        self._send(
            self.server.store.remove(asked.kind, asked.namespace or "", asked.name, dependents=dependents)
        )

    def _object(self, asked: Asked) -> Json:
        content = (self.headers["Content-Type"] or "").partition(";")[0]
        if content == MEDIA_TYPE and asked.kind.kind == "Secret":
            each = read_secret(self._body)
            self._check(asked, each)
            return each
        if content not in ("", "application/json", "application/yaml"):  # none is taken for JSON
            raise ApiError(415, "UnsupportedMediaType", f"a body of {content!r}")
        each = yaml.safe_load(self._body)
        self._check(asked, each)
        return each  # type: ignore[no-any-return]

    def _check(self, asked: Asked, each: Json) -> None:
        if not isinstance(each, dict) or "apiVersion" not in each or "kind" not in each:
            raise ApiError(400, "BadRequest", "the body is no object with apiVersion and kind")
        try:
            kind = kind_of(each)
        except KeyError:
            raise ApiError(400, "BadRequest", f"no such kind: {each['apiVersion']} {each['kind']}") from None
        if kind != asked.kind:
            raise ApiError(400, "BadRequest", f"{each['kind']} was sent to {asked.kind.plural}")
        meta = each.setdefault("metadata", {})
        if asked.namespace is not None and meta.setdefault("namespace", asked.namespace) != asked.namespace:
            raise ApiError(400, "BadRequest", "the namespace of the object and of the request differ")
        if asked.name and meta.get("name") != asked.name:
            raise ApiError(400, "BadRequest", "the name of the object and of the request differ")

    def _log(self, asked: Asked) -> None:
        unknown = asked.query.keys() - LOG_PARAMETERS
        if unknown:
            raise ApiError(400, "BadRequest", f"unknown parameters of logs: {sorted(unknown)}")
        namespace, store = asked.namespace or "", self.server.store
        store.find(asked.kind, namespace, asked.name)
        key = (namespace, asked.name + ("~" if asked.query.get("previous") in ("true", "True") else ""))
        text = self.server.logs.get(key)
        if text is None:
            raise ApiError(400, "BadRequest", f'container in pod "{asked.name}" is waiting to start')
        if "tailLines" in asked.query:
            text = "".join(text.splitlines(keepends=True)[-int(asked.query["tailLines"]) :])
        self._begin_stream("text/plain")
        self._write_chunk(text.encode())
        sent = len(text)
        while asked.query.get("follow") in ("true", "True"):
            with store.changed:
                more = self.server.logs[key][sent:]
                if not more:
                    if self.server.stopping or self._ended(asked):
                        break
                    store.changed.wait(1)
                    continue
            self._write_chunk(more.encode())
            sent += len(more)
        self._end_stream()

    def _ended(self, asked: Asked) -> bool:
        try:
            pod = self.server.store.find(asked.kind, asked.namespace or "", asked.name)
        except ApiError:
            return True
        return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")

    def _proxy(self, asked: Asked) -> None:
        name, _, _port = asked.name.partition(":")
        self.server.store.find(asked.kind, asked.namespace or "", name)
        where = self.server.pods.get((asked.namespace or "", name))
        if where is None:
            raise ApiError(
                503, "ServiceUnavailable", f"error trying to reach service: {name} does not listen"
            )
        headers = {"Content-Type": self.headers.get("Content-Type") or "application/json"}
        request = urllib.request.Request(  # noqa: S310 - the address is a test's
            where + asked.rest, self._body or None, headers, method=self.command
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                self._send_bytes(answer.read(), answer.status, answer.headers["Content-Type"])
        except urllib.error.HTTPError as error:
            with error:
                self._send_bytes(error.read(), error.code, error.headers["Content-Type"])
        except urllib.error.URLError as error:
            message = f"error trying to reach service: {error.reason}"
            raise ApiError(503, "ServiceUnavailable", message) from None

    def _send(self, value: Json, code: int = 200) -> None:
        self._send_bytes(json.dumps(value).encode(), code, "application/json")

    def _send_bytes(self, content: bytes, code: int, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _begin_stream(self, kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, value: Json) -> None:
        self._write_chunk(json.dumps(value).encode() + b"\n")

    def _write_chunk(self, content: bytes) -> None:
        if content:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def _end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
