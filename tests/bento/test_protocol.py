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

WITHIN_S = 10
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


@asynccontextmanager
async def connect() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=protocol.HttpProtocol, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        yield reader, writer
        writer.close()
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
