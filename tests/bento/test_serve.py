"""`python -m bento.serve`: one process, exit codes that mean something."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from bento.package import Package

if TYPE_CHECKING:
    from tests.bento.conftest import Serve

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_one_process_that_answers_and_exits_with_0(
    serve_alone: "Serve", package_dir: Path, number: signal.Signals
) -> None:
    with serve_alone(package_dir) as live:
        assert psutil.Process(live.process.pid).children() == []
        with httpx.Client(base_url=live.url) as http:
            assert http.post("/predict", json={"text": "fantastic"}).json()["sentiment"] == "positive"
            assert http.get("/docs").status_code == 200
            assert "valence_requests_total" in http.get("/metrics").text
        live.process.send_signal(number)
        assert live.process.wait(30) == 0
    assert "Traceback" not in live.log.read_text()


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bento.serve", "--port", "0"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"VALENCE_MODEL": ""}, "VALENCE_MODEL is not set"),
        ({"VALENCE_MODEL": "x", "VALENCE_LANES": "many"}, "VALENCE_LANES: "),
        ({"VALENCE_MODEL": "x", "VALENCE_WORKERS": "2"}, "VALENCE_WORKERS is 2"),
    ],
)
def test_a_wrong_setting_is_said_in_one_line(environment: dict[str, str], message: str) -> None:
    done = run(**environment)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line


def test_a_package_that_must_not_be_served_ends_it(
    tmp_path: Path, make_package: Callable[..., Package]
) -> None:
    package = make_package(tmp_path / "package")
    (package.path / "model.onnx").write_bytes(b"changed")
    done = run(VALENCE_MODEL=str(package.path))
    assert done.returncode == 1
    assert "the model is refused" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
