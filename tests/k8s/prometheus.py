"""A real Prometheus with a past, which scrapes one address five times a second."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

_WITHIN_S = 60
_HOUR_S = 3600
_STEP_S = 60


@contextmanager
def prometheus(home: Path, target: str | None, past: Mapping[str, int]) -> Iterator[str]:
    """Run a Prometheus.

    Args:
        home: A folder of its own.
        target: Whom it scrapes, `127.0.0.1:port`; None: itself.
        past: Series and how much they grew, evenly, in the hour before.

    Yields:
        Its URL.
    """
    data = home / "data"
    data.mkdir()
    if past:
        _write_past(home / "past.om", data, past)
    config = home / "prometheus.yml"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    scrape = f"{{job_name: pods, honor_labels: true, static_configs: [{{targets: ['{target or address}']}}]}}"
    config.write_text(
        f"global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\nscrape_configs: [{scrape}]\n"
    )
    options = {"config.file": config, "storage.tsdb.path": data, "web.listen-address": address}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *(f"--{name}={value}" for name, value in options.items())],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _await_ready(f"http://{address}", process, home / "log")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(_WITHIN_S)


def missing() -> str | None:
    """Say what to install where there is no Prometheus."""
    if shutil.which("prometheus") and shutil.which("promtool"):
        return None
    return "prometheus and promtool are missing: apt install prometheus"


def _write_past(source: Path, data: Path, past: Mapping[str, int]) -> None:
    now = int(time.time())
    lines = []
    for name in dict.fromkeys(series.partition("{")[0] for series in past):
        lines.append(
            f"# TYPE {name.removesuffix('_total')} {'counter' if name.endswith('_total') else 'unknown'}"
        )
        for series, growth in past.items():
            if series.partition("{")[0] == name:
                steps = range(0, _HOUR_S, _STEP_S)
                lines += [f"{series} {growth * at / _HOUR_S} {now - _HOUR_S + at}" for at in steps]
    source.write_text("\n".join([*lines, "# EOF", ""]))
    done = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", source, data],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr + done.stdout


def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = httpx.get(f"{url}/api/v1/query", params={"query": "up == 1"}, timeout=1)
            if answer.status_code == 200 and answer.json()["data"]["result"]:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"Prometheus is not ready:\n{log.read_text()}")
