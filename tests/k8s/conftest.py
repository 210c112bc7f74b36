"""A Kubernetes API server for each test that asks for one, and a cluster with Valence on it."""

import base64
import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from k8s.release.cli import main
from k8s.release.record import Record, parse_records
from scripts import tools
from tests.k8s.api_server import ApiServer, running
from tests.k8s.cluster import Cluster, working
from tests.k8s.kinds import CONFIG_MAP, DEPLOYMENT, POD, SECRET, Json
from tests.k8s.prometheus import missing, prometheus

_ROOT = Path(__file__).resolve().parents[2]
CHART = _ROOT / "helm" / "valence"
NAMESPACE = "sentiment"
WITHIN_S = 60


def digest(version: str) -> str:
    """The digest that a version has in these tests."""
    return f"sha256:{version:0>64}"


@pytest.fixture
def api_server() -> Iterator[ApiServer]:
    """A stand-in for a cluster, empty but for the namespace `sentiment`."""
    with running() as server:
        server.store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        yield server


@pytest.fixture
def kubeconfig(api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that names the stand-in and the namespace `sentiment`; `KUBECONFIG` names the file."""
    path = api_server.write_kubeconfig(tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


@pytest.fixture
def helm_major() -> str:
    """Which helm; a test that wants both overrides this by a parameter."""
    return "4"


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    said: str


@dataclass
class Valence:
    """Valence on a cluster: version 1, three pods, and the commands on it."""

    server: ApiServer
    cluster: Cluster
    helm_program: Path
    home: Path
    capture: pytest.CaptureFixture[str]
    chart: Path = CHART

    def release(self, *arguments: str) -> Answer:
        """Run `python -m k8s.release` with these arguments."""
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = self.capture.readouterr()
        assert isinstance(ended.value.code, int)
        return Answer(ended.value.code, out + err)

    def values(self, version: str) -> str:
        """Write what `make image` would for a version; the file."""
        path = self.home / f"values-{version}.yaml"
        model = {"name": "valence-sentiment", "version": version, "digest": digest(version)}
        path.write_text(yaml.safe_dump({"image": {"tag": f"{version}-12345678"}, "model": model}))
        return str(path)

    def helm(self, *arguments: str) -> str:
        done = subprocess.run([self.helm_program, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def helm_model(self) -> str:
        """The version that Helm has."""
        values = json.loads(self.helm("get", "values", "valence", "--output", "json"))
        return str(values["model"]["version"])

    def mark_revision(self, status: str) -> None:
        """Leave Helm's last revision as a helm does that is killed in the middle."""
        secrets = self.server.store.all(SECRET, NAMESPACE)
        last = max(secrets, key=lambda each: int(each["metadata"]["labels"]["version"]))

        def change(secret: Json) -> Json:
            inside = gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"])))
            told = json.loads(inside)
            told["info"]["status"] = secret["metadata"]["labels"]["status"] = status
            packed = base64.b64encode(gzip.compress(json.dumps(told).encode()))
            secret["data"]["release"] = base64.b64encode(packed).decode()
            return secret

        self.server.store.change(SECRET, NAMESPACE, last["metadata"]["name"], change)

    @property
    def deployment(self) -> Json:
        return self.server.store.find(DEPLOYMENT, NAMESPACE, "valence")

    @property
    def records(self) -> list[Record]:
        """The releases that have been made."""
        found = self.server.store.find(CONFIG_MAP, NAMESPACE, "valence-releases")
        return parse_records(found)

    @property
    def serving(self) -> set[str]:
        """The versions that pods serve."""
        pods = self.server.store.all(POD, NAMESPACE)
        return {self.cluster.pods.models[pod["metadata"]["name"]]["version"] for pod in pods}

    def await_pods(self, count: int) -> None:
        self._await(lambda: self.deployment.get("status", {}).get("availableReplicas") == count)

    def await_rollout(self, version: str) -> None:
        self._await(lambda: self.serving == {version} and self.deployment["status"]["replicas"] == 3)

    def _await(self, met: Callable[[], bool]) -> None:
        with self.server.store.changed:
            assert self.server.store.changed.wait_for(met, WITHIN_S)


@pytest.fixture
def valence(
    api_server: ApiServer,
    kubeconfig: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    helm_major: str,
) -> Iterator[Valence]:
    """Version 1 on three pods of a cluster, installed by a real helm, and no registry.

    The registry that is asked by default lies in the working directory, so that is an empty folder.
    """
    try:
        program = tools.helm(helm_major)
    except tools.ToolError as error:
        pytest.skip(f"helm is missing: {error}")
    for name in ("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("HELM", str(program))
    monkeypatch.delenv("VALENCE_REGISTRY", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    monkeypatch.chdir(tmp_path)
    with working(api_server) as cluster:
        valence = Valence(api_server, cluster, program, tmp_path, capsys)
        valence.helm("install", "valence", str(CHART), "--values", valence.values("1"))
        valence.await_pods(3)
        api_server.calls.clear()
        yield valence


Answering = Callable[[int, str], str]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Return what starts a server that answers everything alike, by status and body; its host and port."""
    with ExitStack() as stack:

        def start(status: int, body: str) -> str:
            class Handler(BaseHTTPRequestHandler):
                def _answer(self) -> None:
                    self.rfile.read(int(self.headers["Content-Length"] or 0))
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body.encode())

                def do_GET(self) -> None:
                    self._answer()

                def do_POST(self) -> None:
                    self._answer()

                def log_message(self, *_: object) -> None:
                    pass

            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"127.0.0.1:{server.server_port}"

        yield start


def begin(*arguments: str) -> subprocess.Popen[str]:
    """Run the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "k8s.release", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def await_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}")


Watch = Callable[[dict[str, int]], AbstractContextManager[str]]


@pytest.fixture
def watched(valence: Valence, tmp_path: Path) -> Watch:
    """Return what starts a Prometheus over the pods, with a past by code (and `slow`) of an hour; its URL."""
    if (what := missing()) is not None:
        pytest.skip(what)

    @contextmanager
    def start(past: dict[str, int]) -> Iterator[str]:
        of = f'namespace="{NAMESPACE}",pod="valence-old-1",route="/predict"'
        codes = {code: count for code, count in past.items() if code != "slow"}
        series = {f'valence_requests_total{{{of},code="{code}"}}': count for code, count in codes.items()}
        timed = "valence_request_duration_seconds"
        fast = past.get("200", 0) - past.get("slow", 0)
        series[f'{timed}_bucket{{{of},code="200",le="0.3"}}'] = fast
        series[f'{timed}_count{{{of},code="200"}}'] = past.get("200", 0)
        home = tmp_path / "prometheus"
        home.mkdir()
        with prometheus(home, valence.cluster.pods.url.removeprefix("http://"), series) as url:
            yield url

    return start
