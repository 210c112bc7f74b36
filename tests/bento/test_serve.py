"""`python -m bento.serve`: one process, exit codes that mean something."""

import json
import os
import signal
import socket
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
    log = live.log.read_text()
    assert "Traceback" not in log
    assert [line["at"] for line in map(json.loads, log.splitlines()) if line["event"] == "listening"] == [
        [live.url]
    ]


def test_what_is_no_request_is_a_problem_that_is_counted_and_logged_a_few_times(
    serve_alone: "Serve", package_dir: Path
) -> None:
    callers = 20
    with serve_alone(package_dir, VALENCE_LOG_REQUESTS_PER_S="1") as live:
        address = live.url.removeprefix("http://").split(":")
        for _ in range(callers):
            with socket.create_connection((address[0], int(address[1])), 60) as caller:
                caller.sendall(b"FOO / HTTP/1.1\r\n\r\n")
                head, _, body = b"".join(iter(lambda: caller.recv(65_536), b"")).partition(b"\r\n\r\n")
            problem = json.loads(body)
            assert head.startswith(b"HTTP/1.1 400 ")
            assert b"content-type: application/problem+json" in head
            assert f"x-request-id: {problem['instance']}".encode() in head
            assert "Invalid method" in problem["detail"]
        counted = f'valence_requests_total{{code="400",route="unmatched"}} {callers}.0'
        assert counted in httpx.get(f"{live.url}/metrics").text
    lines = [json.loads(line) for line in live.log.read_text().splitlines()]
    mine = [line for line in lines if line.get("code") == 400]
    assert sum(line["requests"] for line in mine) == callers
    assert {line["event"] for line in lines} == {"ready", "listening", "request", "draining", "drained"}


def test_who_asks_for_a_websocket_is_answered_without_advice_in_the_log(
    serve_alone: "Serve", package_dir: Path
) -> None:
    with serve_alone(package_dir) as live:
        asked = httpx.get(f"{live.url}/livez", headers={"connection": "upgrade", "upgrade": "websocket"})
        assert asked.status_code == 200
    assert "pip" not in live.log.read_text()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bento.serve", *(arguments or ("--port", "0"))],
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


@pytest.mark.parametrize("port", ["69340", "-1", "http"])
def test_what_is_no_port_is_refused(port: str) -> None:
    done = run(f"--port={port}", VALENCE_MODEL="x")
    assert done.returncode == 2
    assert f"{port} is not a port; take one from 1 to 65535" in done.stderr


def test_an_address_that_is_taken_is_said_before_a_model_is_loaded(package_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("--port", str(port), VALENCE_MODEL=str(package_dir))
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"port {port} of 127.0.0.1 cannot be used (Address already in use)" in done.stderr
    assert "--port" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_address_that_is_taken_while_the_model_is_loaded_is_said_too(package_dir: Path) -> None:
    """As of two servers that start together: as long as nobody listens, both can bind."""
    code = (
        "import socket, sys\n"
        "from bento import serve\n"
        "bind, other = serve._listen, socket.socket()\n"
        "def bind_and_lose(host, port):\n"
        "    bound = bind(host, port)\n"
        "    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        "    other.bind(bound[0].getsockname())\n"
        "    other.listen()\n"
        "    return bound\n"
        "serve._listen = bind_and_lose\n"
        "sys.exit(serve.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"VALENCE_MODEL": str(package_dir)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "of 127.0.0.1 cannot be used (Address already in use)" in line
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "drained"


def test_a_host_that_is_not_this_machine_is_refused(package_dir: Path) -> None:
    done = run("--host", "300.1.1.1", VALENCE_MODEL=str(package_dir))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "300.1.1.1 cannot be used" in line


def test_a_misspelt_setting_is_named_with_what_was_meant(serve_alone: "Serve", package_dir: Path) -> None:
    with serve_alone(package_dir, VALENCE_MAX_QEUE_MS="5") as live:
        (line,) = [line for line in live.log.read_text().splitlines() if "VALENCE_MAX_QEUE_MS" in line]
    assert json.loads(line)["level"] == "warning"
    assert "VALENCE_MAX_QUEUE_MS" in line


def test_a_package_that_must_not_be_served_ends_it(
    tmp_path: Path, make_package: Callable[..., Package]
) -> None:
    package = make_package(tmp_path / "package")
    (package.path / "model.onnx").write_bytes(b"changed")
    done = run(VALENCE_MODEL=str(package.path))
    assert done.returncode == 1
    assert "the model is refused" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
