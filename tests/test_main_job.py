"""The main job by its real command line: labelled texts in, a served and movable Bento out."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from training.families import FAMILIES

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parent.parent
ROWS_PER_LABEL = 150
WITHIN_S = 900
TEXTS = ["The movie was absolutely fantastic with great performances", "A dull, lifeless waste of time."]


BENTOML_CLIENT = """
import json, sys, bentoml
with bentoml.SyncHTTPClient(sys.argv[1]) as client:
    print(json.dumps(dict(client.predict(text=sys.argv[2])), default=str))
"""

ANOTHER_VERSION = """
from training import tracking
client = tracking.open_client()
one = client.get_model_version("valence-sentiment", "1")
client.create_model_version("valence-sentiment", one.source, run_id=one.run_id)
"""


@dataclass
class Home:
    """A copy of the project in which everything that the product writes stays below one folder."""

    project: Path
    data: Path
    environment: dict[str, str]
    copied: dict[Path, bytes]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )


class Server:
    """A started server, its output so far, and how to wait for a line of it."""

    def __init__(self, command: list[str], cwd: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self.lines.append("")  # the end
            self._changed.notify_all()

    def wait_for(self, text: str) -> None:
        def seen() -> bool:
            return any(text in line for line in self.lines) or self.lines[-1:] == [""]

        with self._changed:
            assert self._changed.wait_for(seen, WITHIN_S), f"no {text!r} within {WITHIN_S} s:\n{self.output}"
        assert text in self.output, self.output

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._reader.join(60)
        return code


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def predict(port: int, text: str) -> dict[str, object]:
    answer = httpx.post(f"http://127.0.0.1:{port}/predict", json={"text": text}, timeout=30)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("home")
    project = folder / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True
    )
    copied = {}
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)
            copied[project / name] = (project / name).read_bytes()
    params = project / "params.yaml"
    brief = re.sub(r"max_steps: \d+", "max_steps: 6", params.read_text())  # a moment, not half a minute
    params.write_text(brief)
    copied[params] = params.read_bytes()
    data = folder / "my reviews.csv"
    write_sample(data)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VALENCE_", "MLFLOW_"))}
    kept |= {"BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "1"}
    return Home(project, data, kept, copied)


def write_sample(path: Path) -> None:
    """Write a few rows of each label from the embedded corpus: real sentences, trained on in seconds."""
    rows: dict[str, list[str]] = {"negative": [], "neutral": [], "positive": []}
    for name in ("plain_criticism", "products"):
        with (ROOT / "training" / "corpus" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                rows[row["label"]].append(row["text"])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for label, texts in rows.items():
            step = max(1, len(texts) // ROWS_PER_LABEL)
            writer.writerows([text, label] for text in texts[::step][:ROWS_PER_LABEL])


@dataclass
class Served:
    """What the first start left behind."""

    output: str
    answers: list[dict[str, object]]
    by_bentoml_client: dict[str, object]
    exit_code: int


@pytest.fixture(scope="module")
def served(home: Home) -> Served:
    port = free_port()
    command = [sys.executable, "scripts/serve.py", "--port", str(port), "--data", str(home.data)]
    server = Server(command, home.project, home.environment)
    try:
        server.wait_for("Valence is ready")
        answers = [predict(port, text) for text in TEXTS]
        told = home.run("-c", BENTOML_CLIENT, f"http://127.0.0.1:{port}", TEXTS[0])
        by_bentoml_client = json.loads(told.stdout)
    finally:
        code = server.stop()
    return Served(server.output, answers, by_bentoml_client, code)


def test_trains_registers_builds_and_serves(served: Served) -> None:
    assert [answer["sentiment"] for answer in served.answers] == ["positive", "negative"]
    assert served.by_bentoml_client["scores"] == served.answers[0]["scores"]
    assert served.exit_code == 0


def test_tells_what_a_person_needs_next(served: Served) -> None:
    for words in ("macro-F1", *FAMILIES, "production", "curl -s", "/docs", "mlflow ui"):
        assert words.lower() in served.output.lower()


def test_a_second_start_trains_nothing_and_serves_the_same(home: Home, served: Served) -> None:
    port = free_port()
    command = [sys.executable, "scripts/serve.py", "--port", str(port), "--data", str(home.data)]
    server = Server(command, home.project, home.environment)
    try:
        server.wait_for("Valence is ready")
        again = predict(port, TEXTS[0])
    finally:
        assert server.stop() == 0
    assert "Running stage" not in server.output
    assert again["model"] == served.answers[0]["model"]
    assert again["scores"] == served.answers[0]["scores"]


def test_a_version_gone_back_to_stays_until_something_new_is_trained(home: Home, served: Served) -> None:
    client = home.run("-c", ANOTHER_VERSION)
    assert client.returncode == 0, client.stderr
    back = home.run("-m", "training.promote", "--to", "2")
    assert "production: 1 -> 2" in back.stdout, back.stderr
    again = home.run("-m", "training", "--data", str(home.data))
    assert "production: 2, nothing moved" in again.stdout, again.stderr
    assert home.run("-m", "training.promote", "--to", "1").returncode == 0


def test_a_file_is_scored_by_the_model_in_production(home: Home, served: Served) -> None:
    source, target = home.project.parent / "in.csv", home.project.parent / "out.csv"
    source.write_text("id,text\n" + "".join(f"{number},{text}\n" for number, text in enumerate(TEXTS[:1])))
    done = home.run("-m", "bento.batch", str(source), str(target))
    assert done.returncode == 0, done.stderr
    with target.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["sentiment"] == served.answers[0]["sentiment"]
    assert abs(float(row["confidence"]) - float(str(served.answers[0]["confidence"]))) < 1e-3


def test_no_file_of_the_project_is_touched(home: Home, served: Served) -> None:
    assert {path for path, content in home.copied.items() if path.read_bytes() != content} == set()


def test_a_taken_port_names_the_remedy(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = home.run("scripts/serve.py", "--port", str(port))
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 cannot be used" in done.stderr
    assert f"make serve PORT={port + 1}" in done.stderr


@pytest.mark.parametrize("port", ["0", "99999", "http"])
def test_what_is_no_port_is_refused(home: Home, port: str) -> None:
    done = home.run("scripts/serve.py", "--port", port)
    assert done.returncode == 2
    assert f"{port} is not a port" in done.stderr


def test_columns_of_other_names_are_named_to_make_serve(home: Home) -> None:
    options = ("--port", str(free_port()), "--data", str(home.data))
    done = home.run("scripts/serve.py", *options, "--text", "review")
    assert done.returncode == 2
    assert "no column review; the columns there are 'text', 'label'" in done.stderr
    assert "Running stage" not in done.stdout


def test_columns_of_no_file_are_refused(home: Home) -> None:
    done = home.run("-m", "training", "--rating", "stars")
    assert done.returncode == 2
    assert "--rating: of which file?" in done.stderr


def test_a_wrong_setting_is_told_before_anything_is_trained(home: Home) -> None:
    environment = home.environment | {"VALENCE_LANES": "-3"}
    command = [sys.executable, "scripts/serve.py", "--port", str(free_port())]
    done = subprocess.run(command, cwd=home.project, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "make: VALENCE_LANES" in done.stderr
    assert "Running stage" not in done.stdout


def test_the_bento_serves_the_same_elsewhere_with_its_own_requirements_alone(
    home: Home, served: Served, tmp_path: Path
) -> None:
    tag = re.findall(r"serving version \d+ as (valence:\S+)", served.output)[0]
    exported = home.run("-m", "bentoml", "export", tag, str(tmp_path / "exported.tar.gz"))
    assert exported.returncode == 0, exported.stderr
    bento = tmp_path / "bento"
    shutil.unpack_archive(tmp_path / "exported.tar.gz", bento)
    assert list(bento.rglob("manifest.json")), "the package travels inside the Bento"

    python = tmp_path / "venv" / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")], check=True)
    locked = bento / "env" / "python" / "requirements.txt"
    install = ["pip", "install", "--quiet", "--python", str(python), "-r", str(locked)]
    subprocess.run([*uv, *install], check=True, timeout=WITHIN_S)
    installed = subprocess.run(
        [*uv, "pip", "list", "--python", str(python), "--format", "json"], check=True, capture_output=True
    )
    names = {entry["name"] for entry in json.loads(installed.stdout)}
    assert not names & {"torch", "mlflow", "mlflow-skinny", "pandas", "transformers", "scikit-learn"}

    port = free_port()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "BENTOML_HOME": str(tmp_path / "empty")}
    command = [str(python), "-m", "bentoml", "serve", str(bento), "--port", str(port)]
    server = Server(command, tmp_path, environment)
    try:
        wait_until_ready(port, server)
        answers = [predict(port, text) for text in TEXTS]
    finally:
        assert server.stop() == 0, server.output
    assert [answer["scores"] for answer in answers] == [answer["scores"] for answer in served.answers]


def wait_until_ready(port: int, server: Server) -> None:
    transport = httpx.HTTPTransport(retries=0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport) as client:
        waited = threading.Event()
        for _ in range(WITHIN_S * 10):
            assert server.process.poll() is None, server.output
            try:
                if client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            waited.wait(0.1)
    raise AssertionError(server.output)
