"""What a release would change: two real packages side by side, and the note that goes with the version."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from mlflow import MlflowClient

from bento.package import MODEL_NAME
from tests.bento.conftest import Registry, make_package, registry

__all__ = ["make_package", "registry"]  # fixtures

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 180
TEXTS = ["The film was good", "An awful table", "It is not good \U0001f600", "the table", "fantastic"]


@dataclass(frozen=True)
class Done:
    """How the command ended."""

    code: int
    said: str
    home: Path

    @property
    def folder(self) -> Path:
        (folder,) = (self.home / ".valence" / "releases").iterdir()
        return folder


def plan(home: Path, uri: str, *arguments: str) -> Done:
    """Plan version 2 against version 1 in a folder of its own."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "VALENCE_REGISTRY": uri,
        "VALENCE_CACHE_DIR": str(home / "cache"),
    }
    command = ["2", "--plan", "--against", "1", "--chart", str(ROOT / "helm" / "valence")]
    done = subprocess.run(
        [sys.executable, "-m", "k8s.release", *command, *arguments],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    return Done(done.returncode, done.stdout + done.stderr, home)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def mlflow_server(registry: Registry, tmp_path: Path) -> Iterator[str]:
    """A server over the registry's file; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    host, _, port = address.partition(":")
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", port, "--workers", "1"]
    with (tmp_path / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--backend-store-uri", registry.uri, "--serve-artifacts"],
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + WITHIN_S
        while True:
            try:
                httpx.get(f"http://{address}/health").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, "the MLflow server ended"
                assert time.monotonic() < deadline, "the MLflow server did not start"
                time.sleep(0.1)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(WITHIN_S)


def test_a_plan_shows_what_would_change(tmp_path: Path, registry: Registry, sample: Path) -> None:
    done = plan(tmp_path, registry.uri, "--sample", str(sample))
    assert done.code == 0, done.said
    found = json.loads((done.folder / "plan.json").read_text())
    assert (found["live"]["version"], found["candidate"]["version"]) == ("1", "2")
    assert found["candidate"]["digest"] == registry.packages["2"].digest
    # Version 2 knows no neutral: "the table" must be something else for it; nothing else differs.
    assert (found["texts"], found["flips"]["count"]) == (5, 1)
    assert list(found["transitions"]) == ["neutral -> negative"]
    assert found["slices"]["negation"] == {"count": 0, "texts": 1} | {
        key: found["slices"]["negation"][key] for key in ("share", "interval")
    }
    assert found["slices"]["emoji"]["texts"] == 1
    assert found["slices"]["length: 0-5 words"]["count"] == 1
    assert found["score_shift"]["max"] > 0.1
    assert found["cost"]["candidate"]["max_rss_mib"] > 10
    assert set(found["cost"]["candidate"]["alone_ms"]) == {"p50", "p95", "p99"}
    assert found["replicas"]["cpu_ratio"] > 0
    assert (done.folder / "flips.csv").read_text().splitlines()[1].startswith("4,the table,neutral,")


def test_the_note_quotes_no_text(tmp_path: Path, registry: Registry, sample: Path) -> None:
    done = plan(tmp_path, registry.uri, "--sample", str(sample))
    note = (done.folder / "note.md").read_text()
    assert note.startswith("# valence-sentiment 2, compared with 1\n")
    assert "| all | 5 | 1 | 20.00% (" in note
    assert not [text for text in TEXTS if text in note]
    assert "the registry is a file" in done.said
    assert "release it: python -m k8s.release 2" in done.said


def test_the_note_is_kept_with_the_version(tmp_path: Path, mlflow_server: str, sample: Path) -> None:
    done = plan(tmp_path, mlflow_server, "--sample", str(sample))
    assert done.code == 0, done.said
    version = MlflowClient(mlflow_server).get_model_version(MODEL_NAME, "2")
    assert version.description == (done.folder / "note.md").read_text()
    assert json.loads(version.tags["valence.release_plan"]) == json.loads(
        (done.folder / "plan.json").read_text()
    )


@pytest.mark.parametrize(
    ("sample_name", "content", "said"),
    [
        ("none.txt", None, "does not exist"),
        ("wrong.csv", b"review\nx\n", "no column 'text'"),
        ("latin.txt", b"caf\xe9\n", "not UTF-8"),
    ],
)
def test_a_sample_that_cannot_be_read_is_named(
    tmp_path: Path, registry: Registry, sample_name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / sample_name).write_bytes(content)
    done = plan(tmp_path, registry.uri, "--sample", sample_name)
    assert done.code == 2
    assert list(tmp_path.glob(".valence/releases/*")) == []
    assert said in done.said


def test_a_version_that_is_not_there_is_named(tmp_path: Path, registry: Registry, sample: Path) -> None:
    done = plan(tmp_path, registry.uri, "--sample", str(sample), "--against", "7")
    assert done.code == 2
    assert "models:/valence-sentiment/7: not in the registry" in done.said
