"""The model in production as a Bento behind `bentoml serve`, as `make serve` has it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
_WITHIN_S = 60  # that it starts or stops


class ServerError(Exception):
    """There is no server to load; the message says why and what to do."""


@contextmanager
def serve(log: Path, model: str | None = None) -> Iterator[str]:
    """Build the Bento and serve it on a free port; the context is its address, and its end the server's.

    Args:
        log: Where the server's output goes.
        model: A package directory or a version in the registry, instead of what is in production.

    Raises:
        ServerError: It cannot be built, or does not become ready.
    """
    environment = {"BENTOML_DO_NOT_TRACK": "True", **os.environ, "PYTHONPATH": str(ROOT)}
    if registry := os.environ.get("MLFLOW_TRACKING_URI"):  # where `make serve` registers
        environment["VALENCE_REGISTRY"] = registry
    built = _build(model, environment)
    if built["version"]:
        environment["VALENCE_MODEL_VERSION"] = built["version"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        address = ("--host", "127.0.0.1", "--port", str(port))
        server = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", built["bento"], *address],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, server, log)
        sys.stdout.write(f"load: {built['bento']} is served on {url}, its log is {log}\n")
        yield url
    finally:
        server.terminate()
        server.wait(_WITHIN_S)


def is_ready(url: str) -> bool:
    """Say whether a server answers there and takes requests."""
    try:
        with urlopen(f"{url}/readyz", timeout=5):  # noqa: S310 - an address that the caller chose
            return True
    except (URLError, OSError):
        return False


def _build(model: str | None, environment: dict[str, str]) -> dict[str, str]:
    chosen = ["--model", model] if model else []
    built = subprocess.run(
        [sys.executable, "-m", "bento.build", *chosen],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    if built.returncode:
        raise ServerError("no Bento could be built, the lines above say why; `make train` makes a model")
    told: dict[str, str] = json.loads(built.stdout.splitlines()[-1])
    return told


def _wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not is_ready(url):
        if server.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"the server does not become ready; {log} says why")
        time.sleep(0.1)
