"""`make observe`: Prometheus, Alertmanager and, where it is installed, Grafana, next to `make serve`."""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".valence" / "observe"
INSTALL = "Debian, Ubuntu: apt install prometheus prometheus-alertmanager; macOS: brew install prometheus"
KEPT = "30d"  # as long as an error budget is
PROMETHEUS, ALERTMANAGER, GRAFANA = 9090, 9093, 3001
READY_WITHIN_S = 60


class ObserveError(Exception):
    """It cannot be started; the message says why and what to do."""


def prepare(port: int) -> None:
    """Lay the configuration where Prometheus and Alertmanager read it, for a server on a port."""
    source = ROOT / "prometheus"
    shutil.rmtree(STATE / "rules", ignore_errors=True)
    for folder in ("rules", "targets"):
        shutil.copytree(source / folder, STATE / folder, dirs_exist_ok=True)
    for name in ("prometheus.yml", "alertmanager.yml"):
        shutil.copy(source / name, STATE)
    targets = STATE / "targets" / "valence.yaml"
    targets.write_text(targets.read_text().replace("127.0.0.1:3000", f"127.0.0.1:{port}"))


def commands() -> dict[str, tuple[int, list[str], dict[str, str]]]:
    """Return what is to be started: name to port, command and further environment.

    Raises:
        ObserveError: Prometheus or Alertmanager is not installed.
    """
    alertmanager = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    prometheus = shutil.which("prometheus")
    if prometheus is None or alertmanager is None:
        missing = "prometheus" if prometheus is None else "alertmanager"
        raise ObserveError(f"{missing} is not on the PATH. Install it ({INSTALL}) and run make observe again")
    found: dict[str, tuple[int, list[str], dict[str, str]]] = {
        "Alertmanager": (
            ALERTMANAGER,
            [
                alertmanager,
                "--config.file=alertmanager.yml",
                f"--storage.path={STATE / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{ALERTMANAGER}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ],
            {},
        ),
        "Prometheus": (
            PROMETHEUS,
            [
                prometheus,
                "--config.file=prometheus.yml",
                f"--storage.tsdb.path={STATE / 'prometheus'}",
                f"--storage.tsdb.retention.time={KEPT}",
                f"--web.listen-address=127.0.0.1:{PROMETHEUS}",
                "--log.level=warn",
            ],
            {},
        ),
    }
    grafana = shutil.which("grafana-server")
    if grafana:
        found["Grafana"] = (GRAFANA, [grafana, f"--homepath={_home_of_grafana()}"], _grafana())
    return found


def _home_of_grafana() -> Path:
    """Return where Grafana's own files are, as packages lay them.

    Raises:
        ObserveError: They are elsewhere.
    """
    candidates = [
        Path("/usr/share/grafana"),
        Path("/opt/homebrew/share/grafana"),
        Path("/usr/local/share/grafana"),
    ]
    if home := os.environ.get("GF_PATHS_HOME"):
        candidates.insert(0, Path(home))
    for candidate in candidates:
        if (candidate / "conf" / "defaults.ini").exists():
            return candidate
    raise ObserveError("Grafana's files are not found; name their folder: GF_PATHS_HOME=… make observe")


def _grafana() -> dict[str, str]:
    """Return the environment in which Grafana has the data source and the dashboards, read-only for all."""
    return {
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(GRAFANA),
        "GF_PATHS_DATA": str(STATE / "grafana"),
        "GF_PATHS_LOGS": str(STATE / "grafana"),
        "GF_PATHS_PROVISIONING": str(ROOT / "grafana" / "provisioning"),
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_LOG_LEVEL": "warn",
        "VALENCE_DASHBOARDS": str(ROOT / "grafana" / "dashboards"),
    }


@contextmanager
def _running(
    name: str, port: int, command: list[str], environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    _check_port(name, port, Path(command[0]).name)
    process = subprocess.Popen(command, cwd=STATE, env=os.environ | environment)
    try:
        _wait_until_ready(name, port, process)
        yield process
    finally:
        process.terminate()
        process.wait()


def _check_port(name: str, port: int, service: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ObserveError(
                f"port {port} is taken, which {name} needs. Stop what listens there; after apt install that "
                f"is the package's own service: systemctl disable --now {service}"
            ) from None


def _wait_until_ready(name: str, port: int, process: "subprocess.Popen[bytes]") -> None:
    path = "api/health" if name == "Grafana" else "-/ready"
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise ObserveError(f"{name} does not become ready; the lines above say why")


def _next_steps(started: list[str], port: int) -> str:
    lines = [f"Valence on port {port} is observed. Look at:", ""]
    if "Grafana" in started:
        lines.append(f"  Dashboards   http://localhost:{GRAFANA}/dashboards")
    else:
        lines.append("  Dashboards   need Grafana, which is not installed (https://grafana.com/docs)")
    lines += [
        f"  Alerts       http://localhost:{PROMETHEUS}/alerts, as they are notified: :{ALERTMANAGER}",
        f"  Queries      http://localhost:{PROMETHEUS}/graph?g0.expr=valence%3Arequests%3Arate5m",
        f"  Scraped      http://localhost:{PROMETHEUS}/targets",
        "  Traffic      make load URL=http://localhost:" + str(port),
        "  Stop         Ctrl-C",
    ]
    return "\n".join(lines)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make observe", description=__doc__)
    parser.add_argument("--port", type=int, default=3000, help="where the server is (default: %(default)s)")
    return parser.parse_args()


def main() -> int:
    """Run all until Ctrl-C, or until one of them ends.

    Returns:
        0 after Ctrl-C, 1 where one ended by itself, 2 where they cannot be started.
    """
    arguments = _parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        prepare(arguments.port)
        with ExitStack() as stack:
            started = {name: stack.enter_context(_running(name, *what)) for name, what in commands().items()}
            print(_next_steps(list(started), arguments.port), flush=True)
            while not (ended := [name for name, process in started.items() if process.poll() is not None]):
                time.sleep(0.5)
            print(f"make: {ended[0]} ended; the lines above say why", file=sys.stderr)
            return 1
    except ObserveError as error:
        print(f"make: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
