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


def main() -> int:
    """Run the three steps; the exit code is that of the first which fails, else of the server."""
    arguments = _parse()
    _check_port(arguments.port)
    registry = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{ROOT / '.valence' / 'mlflow.db'}")
    environment = {"VALENCE_REGISTRY": registry, **os.environ, "PYTHONPATH": str(ROOT)}

    data = [
        part
        for name in ("data", "test")
        if (value := getattr(arguments, name))
        for part in (f"--{name}", value)
    ]
    _run([sys.executable, "-m", "training", *data], environment)

    built = subprocess.run(
        [sys.executable, "-m", "bento.build"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    if built.returncode:
        return built.returncode
    model = json.loads(built.stdout.splitlines()[-1])
    environment.setdefault("VALENCE_MODEL_VERSION", model["version"])
    return _serve(model["bento"], arguments.port, registry, environment)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make serve", description=__doc__)
    parser.add_argument("--port", type=int, default=3000, help="port to serve on (default: 3000)")
    parser.add_argument("--data", help="your own text,label file: .csv, .csv.gz or .parquet")
    parser.add_argument("--test", help="a test file of the same form")
    return parser.parse_args()


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - the address that the server will take
        except OSError as error:
            _stop(
                f"port {port} cannot be used ({error.strerror}). Stop what listens there, "
                f"or take another: make serve PORT={port + 1}"
            )


def _serve(bento: str, port: int, registry: str, environment: dict[str, str]) -> int:
    print(f"==> serving {bento} on port {port}", flush=True)
    server = subprocess.Popen(
        [sys.executable, "-m", "bentoml", "serve", bento, "--port", str(port)], cwd=ROOT, env=environment
    )
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _frame: server.send_signal(number))
    if _wait_until_ready(server, port):
        print(_next_steps(port, registry), flush=True)
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
