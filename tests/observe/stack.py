"""A real Prometheus and Alertmanager with the shipped configuration, sixty times as fast, and a webhook."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

SCALE = 60

_ROOT = Path(__file__).resolve().parents[2]
_ALERTMANAGERS = ("prometheus-alertmanager", "alertmanager")  # Debian's name first
_WITHIN_S = 30


@dataclass
class Notification:
    """What the webhook was told of an alert, and when."""

    at: float
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass
class Stack:
    """The two, running.

    Attributes:
        url: Prometheus's address.
        folder: Its configuration.
        notifications: What Alertmanager sent, in this order.
    """

    url: str
    folder: Path
    notifications: list[Notification] = field(default_factory=list)
    _targets: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def scrape(self, address: str, release: str) -> None:
        """Begin to scrape a server, as service discovery would when a pod begins."""
        with self._lock:
            self._targets[address] = release
            self._write_targets()

    def forget(self, address: str) -> None:
        """Scrape it no more, as when a pod is deleted."""
        with self._lock:
            del self._targets[address]
            self._write_targets()

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Evaluate PromQL now."""
        return self._ask("query", {"query": expr})

    def query_range(self, expr: str, start: float, end: float, step_s: float) -> list[dict[str, Any]]:
        """Evaluate PromQL over a time, as a panel does."""
        return self._ask("query_range", {"query": expr, "start": start, "end": end, "step": step_s})

    def _ask(self, how: str, parameters: Mapping[str, str | float]) -> list[dict[str, Any]]:
        answer = httpx.post(f"{self.url}/api/v1/{how}", data=dict(parameters), timeout=_WITHIN_S).json()
        assert answer["status"] == "success", f"{parameters['query']}: {answer}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def _write_targets(self) -> None:
        content = [
            {"targets": [address], "labels": {"namespace": "local", "release": release}}
            for address, release in self._targets.items()
        ]
        path = self.folder / "targets" / "valence.yaml"
        path.with_suffix(".new").write_text(yaml.safe_dump(content))
        path.with_suffix(".new").replace(path)


def missing() -> str | None:
    """Return what to install, if something is missing."""
    there = shutil.which("prometheus") and any(map(shutil.which, _ALERTMANAGERS))
    return None if there else "Prometheus is missing: apt install prometheus prometheus-alertmanager"


@contextmanager
def run_stack(folder: Path) -> Iterator[Stack]:
    """Run both until the context ends."""
    make = [sys.executable, "-m", "prometheus.generate", "--scale", str(SCALE), "--output", str(folder)]
    subprocess.run(make, cwd=_ROOT, check=True)
    prometheus, alertmanager = _free_port(), _free_port()
    (folder / "targets").mkdir()
    (folder / "targets" / "alertmanager.yaml").write_text(f'- targets: ["127.0.0.1:{alertmanager}"]\n')
    stack = Stack(f"http://127.0.0.1:{prometheus}", folder)
    stack._write_targets()
    with ExitStack() as running:
        webhook = running.enter_context(_webhook(stack))
        _add_receiver(folder / "alertmanager.yml", webhook)
        name = next(filter(shutil.which, _ALERTMANAGERS))
        for command, port in (
            ((name, "--config.file=alertmanager.yml", "--cluster.listen-address="), alertmanager),
            (("prometheus", "--config.file=prometheus.yml"), prometheus),
        ):
            running.enter_context(_process(command, port, folder))
        yield stack


@contextmanager
def _process(command: tuple[str, ...], port: int, folder: Path) -> Iterator[None]:
    log = folder / f"{command[0]}.log"
    option = "--storage.tsdb.path" if command[0] == "prometheus" else "--storage.path"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}", f"{option}={folder / command[0]}-data"],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + _WITHIN_S
        while not _is_ready(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(_WITHIN_S)


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready", timeout=1).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def _webhook(stack: Stack) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["content-length"])))
            now = time.time()
            stack.notifications.extend(
                Notification(now, alert["status"], alert["labels"], alert["annotations"])
                for alert in told["alerts"]
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _add_receiver(path: Path, webhook: str) -> None:
    """Do what a user does first: say where pages and tickets go."""
    configuration = yaml.safe_load(path.read_text())
    for receiver in configuration["receivers"]:
        receiver["webhook_configs"] = [{"url": webhook}]
    path.write_text(yaml.safe_dump(configuration))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
