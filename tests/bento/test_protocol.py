"""The protocol: an answer is one packet, and nobody may stay silent for ever."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, cast

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
    body = b""
    while scope["path"] != "/early":
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * LIMIT_S)
    answer = body if scope["path"] == "/echo" else b"body"
    headers = [(b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


made: list[protocol.HttpProtocol] = []
refused: list[tuple[int, str]] = []


def refuse(status: int, why: str) -> tuple[protocol.Headers, bytes]:
    refused.append((status, why))
    return [(b"content-length", b"7")], b"refused"


class Watched(protocol.HttpProtocol):
    """Known to the test."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        made.append(self)


@asynccontextmanager
async def connect() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    made.clear()
    refused.clear()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        http = cast("type[Watched]", partial(Watched, refuse=refuse))
        config = uvicorn.Config(app, http=http, lifespan="off", log_config=None)
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


@pytest.mark.parametrize(
    ("sent", "status", "why"),
    [
        (b"\x16\x03\x01\x00\xa5", 400, "not HTTP/1.1: Invalid method"),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n", 400, "Content-Length"),
        (POST % b"/" + b"23456789X", 400, "not HTTP/1.1: "),
        (b"GET / HTTP/1.1\r\naccept: */*\r\n\r\n", 400, "it has no Host"),
        (b"GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n", 400, "not HTTP/1.1: "),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", 431, "65536 bytes"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 2_000_000 + b"\r\n\r\n", 431, "65536 bytes"),
    ],
    ids=["tls", "length", "after", "host", "url", "large", "very large"],
)
def test_what_cannot_be_read_is_refused_once_and_its_caller_reads_why(
    sent: bytes, status: int, why: str
) -> None:
    async def scenario() -> None:
        async with connect() as (reader, writer):
            writer.write(sent)
            answer = await reader.read()
            assert b"HTTP/1.1 %d " % status in answer
            assert answer.endswith(b"content-length: 7\r\nconnection: close\r\n\r\nrefused")
        ((said_status, said_why),) = refused
        assert said_status == status
        assert why in said_why
        assert all(connection not in connection.connections for connection in made)

    run(scenario())


UPGRADE = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAEA\r\n"
UPGRADING = (
    b"POST /echo HTTP/1.1\r\nhost: x\r\n" + UPGRADE + b"content-length: 9\r\n\r\n123456789",
    b"POST /echo HTTP/1.1\r\nhost: x\r\n" + UPGRADE + b"transfer-encoding: chunked\r\n\r\n"
    b"4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n",
)


@pytest.mark.parametrize("request_", UPGRADING, ids=["length", "chunks"])
@pytest.mark.parametrize("at_once", [1, 7, 100_000])
def test_who_asks_for_another_protocol_is_answered_in_this_one(request_: bytes, at_once: int) -> None:
    """With all of the body, whatever comes together; more of them than Python's stack is deep."""
    times = 1_500 if at_once > 100 else 3
    sent = request_ * times + GET

    async def scenario() -> None:
        async with connect() as (reader, writer):
            for start in range(0, len(sent), at_once):
                writer.write(sent[start : start + at_once])
                await asyncio.sleep(0)
            for _ in range(times):
                assert (await reader.readuntil(b"123456789")).startswith(b"HTTP/1.1 200 ")
            assert (await reader.readuntil(b"body")).startswith(b"HTTP/1.1 200 ")
        assert refused == []

    run(scenario())


def test_who_asks_for_a_tunnel_gets_none() -> None:
    async def scenario() -> None:
        async with connect() as (reader, writer):
            writer.write(b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await reader.read(65_536)).startswith(b"HTTP/1.1 400 ")

    run(scenario())


def test_an_older_request_needs_no_host() -> None:
    async def scenario() -> None:
        async with connect() as (reader, writer):
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")

    run(scenario())


def test_a_large_body_does_not_make_a_head_large() -> None:
    async def scenario() -> None:
        async with connect() as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n" + b"{" * 200_000)
            assert (await reader.read(65_536)).startswith(b"HTTP/1.1 200 ")

    run(scenario())


def test_no_more_than_a_little_is_read_of_a_body_that_has_its_answer() -> None:
    enough = 32 * protocol.UNREAD_BYTES

    async def scenario() -> None:
        sent = 0
        async with connect() as (reader, writer):
            writer.write(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
            assert (await reader.read(65_536)).endswith(b"body")
            with suppress(ConnectionError):
                while sent < enough:
                    writer.write(b"{" * 1_000_000)
                    await writer.drain()
                    sent += 1_000_000
        assert sent < enough

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
