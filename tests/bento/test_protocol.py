"""The protocol: an answer is one packet, and nobody may stay silent for ever."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from bento import protocol

WITHIN_S = 60
LIMIT_S = 0.05
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/early":
        while (await receive()).get("more_body"):
            pass
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * LIMIT_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"body"})


made: list[protocol.HttpProtocol] = []


class Watched(protocol.HttpProtocol):
    """Known to the test."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        made.append(self)


@asynccontextmanager
async def connect() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    made.clear()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=Watched, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            server.should_exit = True
            await serving


def run(scenario: Coroutine[Any, Any, None]) -> None:
    uvloop.run(asyncio.wait_for(scenario, WITHIN_S))


def test_head_and_body_come_together_and_connections_are_kept() -> None:
    async def scenario() -> None:
        async with connect() as (reader, writer):
            for _ in range(3):
                writer.write(GET)
                answer = await reader.read(65_536)
                assert answer.startswith(b"HTTP/1.1 200 ")
                assert answer.endswith(b"\r\n\r\nbody")

    run(scenario())


@pytest.mark.parametrize("said", [b"", b"GET / HT", POST % b"/"])
def test_a_request_that_never_ends_ends_the_connection(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(protocol, "REQUEST_WITHIN_S", LIMIT_S)

    async def scenario() -> None:
        async with connect() as (reader, writer):
            writer.write(said)
            assert await reader.read() == b""

    run(scenario())


@pytest.mark.parametrize(("said", "then"), [(GET, b"\r\n"), (POST % b"/early", b"{{")])
def test_what_is_no_request_does_not_keep_a_connection(
    monkeypatch: pytest.MonkeyPatch, said: bytes, then: bytes
) -> None:
    """Neither a blank line after an answer, nor more of a body that was answered unread."""
    monkeypatch.setattr(protocol, "REQUEST_WITHIN_S", LIMIT_S)

    async def scenario() -> None:
        async with connect() as (reader, writer):
            writer.write(said)
            assert (await reader.read(65_536)).endswith(b"body")
            writer.write(then)
            assert await reader.read() == b""

    run(scenario())


def test_a_request_that_is_complete_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_WITHIN_S", LIMIT_S)

    async def scenario() -> None:
        async with connect() as (reader, writer):
            writer.write(GET.replace(b"/ ", b"/slow "))
            assert (await reader.read(65_536)).endswith(b"body")

    run(scenario())


def test_a_caller_who_is_gone_is_not_written_to() -> None:
    async def scenario() -> None:
        failures: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with connect() as (_, kept):
            address = kept.get_extra_info("peername")
            for _ in range(200):
                _, writer = await asyncio.open_connection(*address)
                reset = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                writer.write(GET)
                await asyncio.sleep(0)
                writer.close()
            await asyncio.sleep(LIMIT_S)
        assert failures == []

    run(scenario())


def test_a_head_without_end_is_refused() -> None:
    async def scenario() -> None:
        async with connect() as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n")
            answer = asyncio.create_task(reader.read(65_536))
            while not answer.done():
                writer.write(b"x-header: %s\r\n" % (b"y" * 1_000))
                await asyncio.sleep(0)
            assert (await answer).startswith(b"HTTP/1.1 431 ")

    run(scenario())


def test_a_caller_of_whom_requests_wait_is_not_listened_to() -> None:
    """So they fill the network's buffers, not the server's memory; all of them are answered in the end."""
    requests = 3_000
    padded = GET.replace(b"host: x", b"host: x\r\nx-padding: " + b"y" * 500)

    async def scenario() -> None:
        async with connect() as (reader, writer):
            longest = 0
            writer.write(padded * requests)
            for _ in range(requests):
                await reader.readuntil(b"body")
                longest = max(longest, *(len(connection.pipeline) for connection in made))
            assert longest < requests / 2

    run(scenario())


def test_who_does_not_take_their_answers_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_WITHIN_S", LIMIT_S)
    monkeypatch.setattr(protocol, "_UNSENT_WITHIN_S", LIMIT_S)

    async def scenario() -> None:
        async with connect() as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(GET * 50_000 + b"GET / HT")
            while not all(connection.transport.is_closing() for connection in made):
                await asyncio.sleep(LIMIT_S)

    run(scenario())
