"""A Prometheus that holds ten minutes of what dashboards ask for."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.grafana.samples import openmetrics

_WITHIN_S = 60


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; what it holds is in `samples`."""
    if not shutil.which("prometheus"):
        pytest.skip("needs Prometheus (Debian: apt install prometheus)")
    home = tmp_path_factory.mktemp("prometheus")
    (home / "samples").write_text(openmetrics())
    (home / "config").write_text("global: {}\n")
    made = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", "samples", "data"]
    subprocess.run(made, cwd=home, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    options = ["--config.file=config", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *options, f"--web.listen-address={address}"],
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(f"http://{address}", process, home / "log")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(_WITHIN_S)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/-/ready", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not ready:\n{log.read_text()}")
