"""The command behind `make load`: locust in processes of its own, against the real Bento of a tiny model.

How fast the machine is decides nothing here: what is judged is that nothing fails.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
ANY_SPEED = ("--max-p95-ms", "5000", "--max-p99-ms", "10000")
WITHIN_S = 180


@pytest.fixture(scope="module")
def bentos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bentoml")


def load(reports: Path, bentos: Path, *options: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VALENCE_", "MLFLOW_"))}
    return subprocess.run(
        [sys.executable, "-m", "tests.load", "--reports", str(reports), *options],
        cwd=ROOT,
        env=kept | {"BENTOML_HOME": str(bentos), "BENTOML_DO_NOT_TRACK": "true"},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )


def test_half_a_minute_of_steady_load_on_the_bento_fails_nothing(
    tmp_path: Path, bentos: Path, package_dir: Path
) -> None:
    done = load(tmp_path, bentos, "--model", str(package_dir), "--run-time", "30s", *ANY_SPEED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 refused, 0 failed" in done.stdout
    assert "load: FAILED" not in done.stdout
    for kind in ("short text", "long text", "batch"):
        assert kind in done.stderr  # the table
    assert "<html" in (tmp_path / "report.html").read_text()


def test_a_broken_limit_fails_the_run_and_is_named(tmp_path: Path, bentos: Path, package_dir: Path) -> None:
    done = load(tmp_path, bentos, "--model", str(package_dir), "--run-time", "3s", "--max-p99-ms", "0.001")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "load: FAILED: p99 of single texts is" in done.stdout


def test_no_server_where_one_is_said_to_be_is_told(tmp_path: Path, bentos: Path) -> None:
    done = load(tmp_path, bentos, "--url", "http://127.0.0.1:9")
    assert done.returncode == 2
    assert "load: http://127.0.0.1:9/readyz does not answer 200" in done.stderr


def test_an_address_without_http_is_refused_with_the_one_that_was_meant(tmp_path: Path, bentos: Path) -> None:
    done = load(tmp_path, bentos, "--url", "localhost:3000")
    assert done.returncode == 2
    assert "localhost:3000 does not begin with http://; try http://localhost:3000" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        ("--shape", "wave", "invalid choice: 'wave'"),
        ("--users", "many", "invalid int value: 'many'"),
        ("--run-time", "long", "Invalid time span format"),
        ("--wave", "50", "unrecognized arguments: --wave"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_built(
    tmp_path: Path, bentos: Path, option: str, value: str, fault: str
) -> None:
    (tmp_path / "report.html").write_text("of another run")
    done = load(tmp_path, bentos, option, value)
    assert done.returncode == 2
    assert "locust: error: " in done.stderr
    assert fault in done.stderr
    assert "the report is" not in done.stdout
    assert not (tmp_path / "server.log").exists()


def test_no_model_to_serve_is_told(tmp_path: Path, bentos: Path) -> None:
    done = load(tmp_path, bentos, "--model", str(tmp_path / "nothing"))
    assert done.returncode == 2
    assert "load: no Bento could be built" in done.stderr
