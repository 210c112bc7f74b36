"""A server under test: started, awaited, and ended with everything that it started."""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.contenders import HOST, Contender, Pair, Variant, environment
from benchmarks.environment import PYTHON
from benchmarks.processes import kill, tree

_ROOT = Path(__file__).resolve().parent.parent
_READY_WITHIN_S = 120.0
_STOPPED_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.02


class ServerError(Exception):
    """A server did not become ready; the message holds the end of its log."""


@dataclass(frozen=True)
class Running:
    """A server that has answered.

    Attributes:
        port: Where it listens.
        pid: Its first process.
        ready_s: From its start to its first answer.
    """

    port: int
    pid: int
    ready_s: float


@contextmanager
def running(contender: Contender, variant: Variant, pair: Pair) -> Iterator[Running]:
    """Start a server and wait for its first answer; at the end, end it.

    Raises:
        ServerError: It is not ready within two minutes.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch, (Path(scratch) / "log").open("w+b") as log:
        port = _free_port()
        command = [part.format(port=port, **variant) for part in contender.command]
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - from the table of contenders
            [str(PYTHON), *command] if contender.peer else command,
            cwd=_ROOT,
            env=environment(pair, variant, Path(scratch)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            body = f'{contender.before}"What a lovely day."{contender.after}'
            if not _answers_in_time(process, port, body):
                log.seek(0)
                raise ServerError(
                    f"{contender.name} did not answer: {' '.join(command)}\n{log.read().decode()[-4000:]}"
                )
            yield Running(port, process.pid, time.perf_counter() - started)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    everything = tree(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        print(f"  process {process.pid} did not stop and is killed", file=sys.stderr)
    kill(everything)
    process.wait()


def _answers_in_time(process: subprocess.Popen[bytes], port: int, body: str) -> bool:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port, body):
            return True
        time.sleep(_LOOK_EVERY_S)
    return False


def _answers(port: int, body: str) -> bool:
    connection = HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status == 200 and "sentiment" in json.dumps(json.load(response))
    except (OSError, HTTPException, ValueError):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
