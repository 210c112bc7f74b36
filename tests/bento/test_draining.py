"""Leaving: who is told, who is still answered, and that nobody is lost."""

import asyncio
import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn
import uvloop
from starlette.applications import Starlette

from bento import protocol
from bento.server import Server

if TYPE_CHECKING:
    from tests.bento.conftest import LiveServer, MakeApp, MakePackage, Serve

WITHIN_S = 60
CALLERS = 8
LONG_MS = "60000"


def wait_until_not_ready(live: "LiveServer") -> None:
    """As a load balancer does that asks again and again."""
    until = time.monotonic() + WITHIN_S
    while httpx.get(f"{live.url}/readyz").status_code != 503:
        assert time.monotonic() < until


def test_readiness_fails_first_while_requests_are_answered(serve_alone: "Serve", package_dir: Path) -> None:
    with serve_alone(package_dir, VALENCE_DRAIN_SERVE_MS=LONG_MS) as live:
        live.process.send_signal(signal.SIGTERM)
        wait_until_not_ready(live)
        answer = httpx.post(f"{live.url}/predict", json={"text": "fantastic"})
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"
        assert httpx.get(f"{live.url}/livez").status_code == 200
        live.process.send_signal(signal.SIGTERM)  # somebody is in a hurry
        assert live.process.wait(WITHIN_S) == 0


def test_before_that_connections_are_kept(serve_alone: "Serve", package_dir: Path) -> None:
    with serve_alone(package_dir) as live:
        assert "connection" not in httpx.post(f"{live.url}/predict", json={"text": "good"}).headers


def test_nothing_is_lost_when_callers_hear_of_it_late(serve_alone: "Serve", package_dir: Path) -> None:
    """They go on until readiness has failed, on kept connections as long as the server keeps them."""
    with serve_alone(package_dir, VALENCE_DRAIN_SERVE_MS=LONG_MS) as live:
        stop = threading.Event()
        callers = [Caller(live.url.removeprefix("http://"), stop) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            assert caller.answered.wait(WITHIN_S)
        live.process.send_signal(signal.SIGTERM)
        wait_until_not_ready(live)
        for caller in callers:
            caller.answered.clear()
            assert caller.answered.wait(WITHIN_S)
        stop.set()
        for caller in callers:
            caller.join(WITHIN_S)
        live.process.send_signal(signal.SIGTERM)  # the wait is over
        assert live.process.wait(WITHIN_S) == 0
    assert [failure for caller in callers for failure in caller.failures] == []


def test_what_has_begun_is_answered_when_the_door_is_shut(
    serve_alone: "Serve", make_package: "MakePackage", tmp_path: Path
) -> None:
    """The model is slow, one text at a time, so some of the requests are being scored and some wait."""
    package = make_package(tmp_path / "slow", layers=20, max_tokens=512, extra_words=["so"])
    slow = {"VALENCE_BATCH_TOKENS": "1", "VALENCE_MAX_QUEUE_MS": "60000", "VALENCE_DRAIN_SERVE_MS": LONG_MS}
    with serve_alone(package.path, **slow) as live:
        address = live.url.removeprefix("http://")
        connections = [http.client.HTTPConnection(address, timeout=WITHIN_S) for _ in range(6)]
        for connection in connections:
            connection.request(
                "POST", "/predict", json.dumps({"text": "so " * 400}), {"content-type": "application/json"}
            )
        until = time.monotonic() + WITHIN_S
        while httpx.get(f"{live.url}/health").json()["queue"]["texts"] < 2:
            assert time.monotonic() < until
        live.process.send_signal(signal.SIGTERM)
        wait_until_not_ready(live)
        live.process.send_signal(signal.SIGTERM)  # no more waiting for load balancers
        answers = [connection.getresponse() for connection in connections]
        assert [answer.status for answer in answers] == [200] * 6
        assert {answer.getheader("connection") for answer in answers} == {"close"}
        assert live.process.wait(WITHIN_S) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{live.url}/livez")


def test_who_connects_until_the_door_is_shut_is_answered(serve_alone: "Serve", package_dir: Path) -> None:
    """Always some have connected and nobody has let them in yet: each comes again when it is answered."""
    with serve_alone(package_dir, VALENCE_DRAIN_SERVE_MS="0") as live:
        callers = [Newcomer(live.url.removeprefix("http://")) for _ in range(2 * CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            assert caller.answered.wait(WITHIN_S)
        live.process.send_signal(signal.SIGTERM)
        for caller in callers:
            caller.join(WITHIN_S)
        assert live.process.wait(WITHIN_S) == 0
    assert [caller.ended for caller in callers] == ["refused"] * len(callers)


def test_who_has_connected_has_time_to_ask(
    monkeypatch: pytest.MonkeyPatch, package_dir: Path, make_app: "MakeApp"
) -> None:
    monkeypatch.setattr(protocol, "FIRST_WITHIN_S", WITHIN_S)

    async def scenario() -> None:
        async with serve_here(make_app(package_dir)) as (server, address):
            reader, writer = await asyncio.open_connection(*address)
            await shut(server, address)
            writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nconnection: close\r\n" in answer
            writer.close()

    uvloop.run(asyncio.wait_for(scenario(), WITHIN_S))


def test_who_asks_nothing_does_not_keep_the_server(
    monkeypatch: pytest.MonkeyPatch, package_dir: Path, make_app: "MakeApp"
) -> None:
    monkeypatch.setattr(protocol, "FIRST_WITHIN_S", 0.05)

    async def scenario() -> None:
        async with serve_here(make_app(package_dir)) as (server, address):
            reader, writer = await asyncio.open_connection(*address)
            await shut(server, address)
            assert await reader.read() == b""
            writer.close()

    uvloop.run(asyncio.wait_for(scenario(), WITHIN_S))


@asynccontextmanager
async def serve_here(app: Starlette) -> AsyncIterator[tuple[Server, tuple[str, int]]]:
    """Serve in this process, until the context ends or the server is told to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        config = uvicorn.Config(app, http=protocol.HttpProtocol, log_config=None)
        server = Server(config, app)
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0)
        try:
            yield server, address
        finally:
            server.should_exit = True
            await serving


async def shut(server: Server, address: tuple[str, int]) -> None:
    """Tell the server to go, and wait until nobody can connect any more."""
    server.should_exit = True
    while True:
        try:
            _, writer = await asyncio.open_connection(*address)
        except ConnectionRefusedError:
            return
        writer.close()


class Newcomer(threading.Thread):
    """Predicts without end, each time over a connection of its own, until it is refused one."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.answered = threading.Event()
        self.ended = ""
        self._address = address

    def run(self) -> None:
        body, headers = json.dumps({"text": "good"}), {"content-type": "application/json"}
        while not self.ended:
            connection = http.client.HTTPConnection(self._address, timeout=WITHIN_S)
            try:
                connection.connect()
            except ConnectionRefusedError:
                self.ended = "refused"
                return
            try:
                connection.request("POST", "/predict", body, headers)
                answer = connection.getresponse()
                if answer.status != 200 or json.loads(answer.read())["sentiment"] != "positive":
                    self.ended = f"{answer.status}"
            except (OSError, http.client.HTTPException) as error:
                self.ended = repr(error)
            connection.close()
            self.answered.set()


class Caller(threading.Thread):
    """Predicts without end over one connection, and over another where the server closes it."""

    def __init__(self, address: str, stop: threading.Event) -> None:
        super().__init__()
        self.answered = threading.Event()
        self.failures: list[str] = []
        self._address = address
        self._stop_asking = stop

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=WITHIN_S)
        while not self._stop_asking.is_set():
            try:
                connection.request(
                    "POST", "/predict", json.dumps({"text": "good"}), {"content-type": "application/json"}
                )
                answer = connection.getresponse()
                body = json.loads(answer.read())
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                return
            if answer.status != 200 or body["sentiment"] != "positive":
                self.failures.append(f"{answer.status}: {body}")
            self.answered.set()
        connection.close()
