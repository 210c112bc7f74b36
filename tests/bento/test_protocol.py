"""The protocol: an answer is one packet, and nobody may stay silent for ever."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from bento import protocol

WITHIN_S = 10


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"body" if scope["path"] == "/" else b"slow"})


@asynccontextmanager
async def connect() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=protocol.Protocol, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        yield reader, writer
        writer.close()
        server.should_exit = True
        await serving


def test_head_and_body_come_together_and_connections_are_kept() -> None:
    async def scenario() -> None:
        async with connect() as (reader, writer):
            for _ in range(3):
                writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                answer = await reader.read(65_536)
                assert answer.startswith(b"HTTP/1.1 200 ")
                assert answer.endswith(b"\r\n\r\nbody")

    asyncio.run(asyncio.wait_for(scenario(), WITHIN_S))


@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"]
)
def test_a_request_that_never_ends_ends_the_connection(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(protocol, "REQUEST_WITHIN_S", 0.05)

    async def scenario() -> None:
        async with connect() as (reader, writer):
            writer.write(said)
            assert await reader.read() == b""

    asyncio.run(asyncio.wait_for(scenario(), WITHIN_S))


def test_a_request_that_is_complete_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_WITHIN_S", 0)

    async def scenario() -> None:
        async with connect() as (reader, writer):
            writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await reader.read(65_536)).endswith(b"slow")

    asyncio.run(asyncio.wait_for(scenario(), WITHIN_S))
