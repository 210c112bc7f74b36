"""The servers of pods: one HTTP server speaks for all of them, under a path for each."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_SCORES = {"negative": 0.25, "neutral": 0.25, "positive": 0.5}


class Pods(ThreadingHTTPServer):
    daemon_threads = True
    owner: "PodServers"


class PodServers:
    """Which pods there are, what they serve, and what they have counted."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, str]] = {}
        self.counts: dict[tuple[str, str], Counter[str]] = {}  # by namespace and pod: by code, and `slow`
        self.traffic: dict[str, dict[str, int]] = {}  # what a pod has counted once it serves, by version
        self.errors: dict[str, int] = {}  # how predictions are refused, by version
        self.score: Callable[[str], dict[str, float]] = lambda _text: _SCORES
        self._http = Pods(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def start(self, namespace: str, pod: str, model: dict[str, str]) -> str:
        """Begin to answer for a pod; where it listens."""
        self.models[pod] = model
        self.counts[namespace, pod] = Counter()
        return f"{self.url}/{pod}"

    def serve(self, pod: str) -> None:
        """Let a pod have its traffic."""
        for (_, name), counts in self.counts.items():
            if name == pod and not counts:
                counts.update(self.traffic.get(self.models[pod]["version"], {}))

    def end(self, pod: str) -> None:
        """Answer for a pod no more."""
        self.models.pop(pod, None)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def exposition(self) -> str:
        """Everything that was counted, in Prometheus's text format, with the labels that it gives to pods."""
        lines = []
        for (namespace, pod), counts in list(self.counts.items()):
            of = f'namespace="{namespace}",pod="{pod}",route="/predict"'
            for code, count in counts.items():
                if code != "slow":
                    lines.append(f'valence_requests_total{{{of},code="{code}"}} {count}')
            timed = f'valence_request_duration_seconds_{{}}{{{{{of},code="200"{{}}}}}} {{}}'
            lines.append(timed.format("bucket", ',le="0.3"', counts["200"] - counts["slow"]))
            lines.append(timed.format("count", "", counts["200"]))
        return "".join(f"{line}\n" for line in lines)


class _Handler(BaseHTTPRequestHandler):
    server: Pods
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/metrics":
            return self._send(self.server.owner.exposition().encode(), "text/plain; version=0.0.4")
        return self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: Any) -> None:  # noqa: ANN401 - JSON
        _, pod, path = self.path.split("/", 2)
        owner = self.server.owner
        model = owner.models.get(pod)
        if model is None:
            return self._send(b'{"title":"gone"}', "application/problem+json", 503)
        answer: dict[str, Any] = {"model": model}
        if path == "health":
            answer |= {"build": "valence:1", "uptime_s": 1.0}
        elif (code := owner.errors.get(model["version"])) is not None:
            return self._send(b'{"title":"the model failed"}', "application/problem+json", code)
        elif path == "predict":
            answer |= {"sentiment": "positive", "scores": owner.score(body["text"])}
        else:
            answer["predictions"] = [{"scores": owner.score(text)} for text in body["texts"]]
        return self._send(json.dumps(answer).encode(), "application/json")

    def _send(self, content: bytes, kind: str, code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
