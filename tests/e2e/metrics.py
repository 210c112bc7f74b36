"""A Prometheus for the release that is watched.

It is the real one where that is installed and pods can be reached by address, else a small one of the suite's
own, which reads the pods' metrics through the API server and knows the two functions that
`python -m k8s.release` asks for.
"""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from urllib.error import URLError
from urllib.parse import parse_qs
from urllib.request import ProxyHandler, build_opener

from kubernetes.client.exceptions import ApiException
from prometheus_client.parser import text_string_to_metric_families
from urllib3.exceptions import HTTPError

from tests.e2e.cluster import Cluster
from tests.e2e.route import Route

_SCRAPE_S = 5
_UP_WITHIN_S = 30.0
_QUERY = re.compile(r"sum\((increase|max_over_time)\((\w+)\{(.*)\}\[(\d+)s\]\)\)")
_MATCHER = re.compile(r'(\w+)(=~|=)"((?:[^"\\]|\\.)*)",?')
_LOCAL = build_opener(ProxyHandler({}))

Labels = frozenset[tuple[str, str]]


class QueryError(Exception):
    """A query that the small one does not know."""


class Samples:
    """What was scraped, and the answers that follow from it; one thread may add while others ask."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, Labels], list[tuple[float, float]]] = {}
        self._lock = threading.Lock()

    def add(self, exposition: str, labels: dict[str, str], at: float) -> None:
        """Take what one target says at a time."""
        with self._lock:
            for family in text_string_to_metric_families(exposition):
                for sample in family.samples:
                    key = sample.name, frozenset((sample.labels | labels).items())
                    self._series.setdefault(key, []).append((at, sample.value))

    def answer(self, query: str, at: float) -> float | None:
        """Return the value of a query; None where no series fits.

        Raises:
            QueryError: It is none of those that are known.
        """
        match = _QUERY.fullmatch(query)
        if match is None:
            raise QueryError(f"not known here: {query}")
        function, name, selector, window = match.groups()
        with self._lock:
            chosen = [
                [value for moment, value in points if at - int(window) <= moment <= at]
                for (its_name, labels), points in self._series.items()
                if its_name == name and _fits(selector, dict(labels))
            ]
        values = [_increase(each) if function == "increase" else max(each) for each in chosen if each]
        return sum(values) if values else None


@contextmanager
def prometheus(cluster: Cluster, route: Route, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the address of one that sees the release's pods, and which it is, in words."""
    program = shutil.which("prometheus")
    if program and route.names_pods and route.way.via is None:
        with _real(program, cluster, folder) as url:
            yield url, f"Prometheus ({program}), which scrapes the pods by their addresses"
    else:
        why = "pods cannot be reached by address" if program else "no prometheus is installed"
        with _small(cluster) as url:
            yield url, f"the suite's own, through the API server's proxy, as {why}"


@contextmanager
def _real(program: str, cluster: Cluster, folder: Path) -> Iterator[str]:
    folder.mkdir(parents=True, exist_ok=True)
    targets, configuration, log = (
        folder / name for name in ("targets.json", "prometheus.yml", "prometheus.log")
    )
    interval = {"scrape_interval": f"{_SCRAPE_S}s", "evaluation_interval": f"{_SCRAPE_S}s"}
    found = {"files": [str(targets)], "refresh_interval": "1s"}
    job = {"job_name": "valence", "file_sd_configs": [found]}
    configuration.write_text(json.dumps({"global": interval, "scrape_configs": [job]}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"

    def write_targets() -> None:
        described = [
            {"targets": [str(each)], "labels": {"namespace": cluster.namespace, "pod": each.pod}}
            for each in cluster.ready_addresses()
        ]
        draft = targets.with_suffix(".draft")
        draft.write_text(json.dumps(described))
        draft.rename(targets)

    write_targets()
    command = [program, f"--config.file={configuration}", f"--web.listen-address={address}"]
    with log.open("wb") as output, _every(1.0, write_targets):
        process = subprocess.Popen(
            [*command, f"--storage.tsdb.path={folder / 'tsdb'}"], stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_up(f"http://{address}/-/ready", process, log)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(folder / "tsdb", ignore_errors=True)


@contextmanager
def _small(cluster: Cluster) -> Iterator[str]:
    samples = Samples()

    def scrape() -> None:
        for each in cluster.ready_addresses():
            labels = {"namespace": cluster.namespace, "pod": each.pod}
            samples.add(cluster.ask_pod(each.pod, each.port, "metrics"), labels, time.time())

    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(samples))
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        with _every(_SCRAPE_S, scrape):
            yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def _handler(samples: Samples) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            at = float(form.get("time", [str(time.time())])[0])
            try:
                value = samples.answer(form["query"][0], at)
            except QueryError as error:
                self._send(400, {"status": "error", "errorType": "bad_data", "error": str(error)})
                return
            result = [] if value is None else [{"metric": {}, "value": [at, str(value)]}]
            self._send(200, {"status": "success", "data": {"resultType": "vector", "result": result}})

        def _send(self, code: int, answer: object) -> None:
            content = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def _every(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Do something again and again; what fails is done the next time."""
    stop = threading.Event()

    def loop() -> None:
        while True:
            with suppress(ApiException, HTTPError):  # a pod that has just left, an API server that is busy
                act()
            if stop.wait(seconds):
                return

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _UP_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with _LOCAL.open(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise OSError(f"prometheus does not start; {log} says why")


def _fits(selector: str, labels: dict[str, str]) -> bool:
    for name, operator, value in _MATCHER.findall(selector):
        pattern = value.replace("\\\\", "\\") if operator == "=~" else re.escape(value)
        if not re.fullmatch(pattern, labels.get(name, "")):
            return False
    return True


def _increase(values: list[float]) -> float:
    """Return how much a counter rose, seen from its first value; one that fell was begun anew."""
    return sum(after - before if after >= before else after for before, after in pairwise(values))
