"""`make serve`: train what changed, build the Bento, serve it, and say what to do next."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN_S = 60
CHECK_SETTINGS = """
import sys
from bento.settings import SettingsError, load_settings
try:
    load_settings()
except SettingsError as error:
    sys.exit(f"make: {error}")
"""


def main() -> int:
    """Run the three steps; the exit code is that of the first which fails, else of the server."""
    arguments = _parse()
    _check_address(arguments.host, arguments.port)
    environment = _environment()
    _run([sys.executable, "-c", CHECK_SETTINGS], environment)  # before minutes of training, not after
    data = [
        part
        for name in ("data", "test", "text", "label", "rating")
        if (value := getattr(arguments, name))
        for part in (f"--{name}", value)
    ]
    reference = ROOT / ".valence" / "reference"
    reference.parent.mkdir(exist_ok=True)
    _run([sys.executable, "-m", "training", *data, "--reference", str(reference)], environment)

    # A data set that was asked for is served, whatever is in production.
    model = ["--model", reference.read_text().strip()] if data else []
    build = [sys.executable, "-m", "bento.build", *model]
    built = subprocess.run(build, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if built.returncode:
        return built.returncode
    found = json.loads(built.stdout.splitlines()[-1])
    environment["VALENCE_MODEL_VERSION"] = found["version"]
    return _serve(found["bento"], arguments.host, arguments.port, environment)


def _environment() -> dict[str, str]:
    """Return the environment of the steps: what training registers is what is built and served."""
    registry = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{ROOT / '.valence' / 'mlflow.db'}"
    if registry.startswith("sqlite:///"):
        registry = f"sqlite:///{Path(registry.removeprefix('sqlite:///')).resolve()}"
    for name, remedy in (
        ("MODEL", "it serves what it trains"),
        ("REGISTRY", "set MLFLOW_TRACKING_URI instead"),
    ):
        if os.environ.get(f"VALENCE_{name}"):
            _stop(f"VALENCE_{name} is set, which `make serve` cannot honour: {remedy}. Unset it")
    return {
        "BENTOML_DO_NOT_TRACK": "True",
        **os.environ,
        "MLFLOW_TRACKING_URI": registry,
        "VALENCE_REGISTRY": registry,
        "PYTHONPATH": str(ROOT),
    }


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make serve", description=__doc__)
    parser.add_argument("--port", type=_port, default=3000, help="port to serve on (default: 3000)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--data", help="your own text,label file: .csv, .csv.gz or .parquet")
    parser.add_argument("--test", help="a test file of the same form")
    for name in ("text", "label", "rating"):
        parser.add_argument(f"--{name}", metavar="COLUMN", help=f"the column of {name}s in them")
    return parser.parse_args()


def _port(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= 65535:
        raise argparse.ArgumentTypeError(f"{value} is not a port; take one from 1 to 65535")
    return int(value)


def _check_address(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            _stop(
                f"port {port} of {host} cannot be used ({error.strerror}). Stop what listens there, "
                f"or take another: make serve PORT={port + 1}"
            )


def _serve(bento: str, host: str, port: int, environment: dict[str, str]) -> int:
    version = environment["VALENCE_MODEL_VERSION"]
    print(f"==> serving version {version} as {bento} on {host}:{port}", flush=True)
    server = subprocess.Popen(
        [sys.executable, "-m", "bentoml", "serve", bento, "--host", host, "--port", str(port)],
        cwd=ROOT,
        env=environment,
    )
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _frame: server.send_signal(number))
    if _wait_until_ready(server, port):
        print(_next_steps(port, environment["VALENCE_REGISTRY"]), flush=True)
    return server.wait()


def _wait_until_ready(server: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + READY_WITHIN_S
    while server.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return True
        except (URLError, OSError):
            time.sleep(0.1)
        if time.monotonic() > deadline:
            print(f"make: not ready after {READY_WITHIN_S} s; the log above says why", file=sys.stderr)
            return False
    return False


def _next_steps(port: int, registry: str) -> str:
    address = f"http://localhost:{port}"
    return f"""
Valence is ready. Try:

  curl -s {address}/predict -H 'content-type: application/json' \\
    -d '{{"text":"The movie was absolutely fantastic with great performances"}}'

  API documentation   {address}/docs
  Runs and versions   .venv/bin/mlflow ui --backend-store-uri {registry} --port 5000
  Score a file        .venv/bin/python -m bento.batch in.csv out.csv
  Stop                Ctrl-C
"""


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment)
    if done.returncode:
        sys.exit(done.returncode)


def _stop(message: str) -> NoReturn:
    print(f"make: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    sys.exit(main())
