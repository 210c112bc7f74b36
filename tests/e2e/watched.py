"""A release that violates its SLO while `python -m k8s.release` watches it.

What violates it is no request of the load, none of which may fail: beside it, batches are sent that allow
their answer one millisecond. The server gives them up (504) or turns them away (429), and counts them.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from tests.e2e.connection import BrokenError, Connection
from tests.e2e.helm import ROOT
from tests.e2e.metrics import prometheus
from tests.e2e.options import REPLICAS
from tests.e2e.route import Route
from tests.e2e.scene import CaseError, Model, Scene, now

_UNDONE = 1  # exit code of a release that took itself back
_BAKE, _BEFORE = "3m", "60s"
_BEGUN_WITHIN_S = 45  # of the first bad request: a scrape, a look, and the 30 s that are promised
_SEEN_BEFORE_S = 12
_EVERY_S = 0.1
_BODY = json.dumps({"texts": ["The film was good, but far too long for what it had to say"] * 256}).encode()


def watched_release(scene: Scene, model: Model) -> None:
    """Release a model, spoil its SLO, and see that it is taken back.

    Raises:
        CaseError: It is not, or late.
    """
    folder = scene.folder / "watched"
    folder.mkdir(parents=True, exist_ok=True)
    values = folder / "values.json"
    values.write_text(json.dumps(model.values))
    with prometheus(scene.cluster, scene.route, folder) as (url, which):
        scene.say(f"metrics: {which}; for {_SEEN_BEFORE_S} s it sees the time before")
        time.sleep(_SEEN_BEFORE_S)
        with _releasing(
            scene, model, [*_target(scene), "--values", str(values), "--prometheus", url]
        ) as told:
            _wait_until_out(scene, model, told)
            scene.say(f"version {model.version} is out; from here on some batches get 1 ms for their answer")
            with _spoilt(scene.route) as spoilt:
                began = now()
                while told.running() and scene.cluster.deployed() == model.pinned:
                    time.sleep(0.2)
                took_s = now() - began
            code = told.wait()
    lines = told.lines()
    scene.say(
        f"spoilt by {sum(spoilt.values())} batches, answered {dict(spoilt)}; undone from {took_s:.0f} s on"
    )
    if code != _UNDONE:
        raise CaseError(f"python -m k8s.release ended with {code}, not {_UNDONE}:\n" + "\n".join(lines[-30:]))
    if took_s > _BEGUN_WITHIN_S:
        raise CaseError(f"it was undone after {took_s:.0f} s, not within {_BEGUN_WITHIN_S} s")


class _Told:
    """The process that releases, and what it has said."""

    def __init__(self, process: subprocess.Popen[str], say: Callable[[str], None]) -> None:
        self._process = process
        self._say = say
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line.rstrip())
            self._say(f"  release: {line.rstrip()}")

    def lines(self) -> list[str]:
        return list(self._lines)

    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        code = self._process.wait(timeout=600)
        self._reader.join()
        return code


@contextmanager
def _releasing(scene: Scene, model: Model, options: list[str]) -> Iterator[_Told]:
    local = "127.0.0.1,localhost"
    inherited = {name: value for name, value in os.environ.items() if name != "VALENCE_REGISTRY"}
    addresses = {"NO_PROXY": f"{os.environ.get('NO_PROXY', '')},{local}".lstrip(",")}
    process = subprocess.Popen(
        [sys.executable, "-m", "k8s.release", model.version, "--bake", _BAKE, "--before", _BEFORE, *options],
        cwd=ROOT,
        env=inherited | addresses | {"HELM": scene.helm.program, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield _Told(process, scene.say)
    finally:
        process.terminate()
        process.wait()


def _target(scene: Scene) -> list[str]:
    context = ["--context", scene.helm.context] if scene.helm.context else []
    url = [] if scene.route.names_pods else ["--url", scene.route.told]
    return ["--namespace", scene.cluster.namespace, "--why", "to violate its SLO", *context, *url]


def _wait_until_out(scene: Scene, model: Model, told: _Told) -> None:
    while told.running():
        if scene.cluster.models() == {model.pinned} and len(scene.cluster.ready_addresses()) >= REPLICAS:
            return
        time.sleep(0.5)
    raise CaseError("python -m k8s.release ended before its pods were out:\n" + "\n".join(told.lines()[-30:]))


@contextmanager
def _spoilt(route: Route) -> Iterator[Counter[int]]:
    """Send what is answered by errors, while the context lasts; yields how many by status."""
    stop = threading.Event()
    statuses: Counter[int] = Counter()
    way = replace(route.way, headers=lambda: f"{route.way.headers()}X-Request-Timeout-Ms: 1\r\n")

    async def send() -> None:
        while not stop.is_set():
            if (address := route.pick()) is not None:
                with suppress(OSError, BrokenError, TimeoutError):
                    async with asyncio.timeout(10):
                        connection = await Connection.open(address, way, lasts_s=0)
                        try:
                            statuses[(await connection.ask("/predict/batch", _BODY)).status] += 1
                        finally:
                            connection.close()
            await asyncio.sleep(_EVERY_S)

    thread = threading.Thread(target=lambda: asyncio.run(send()), daemon=True)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join()
