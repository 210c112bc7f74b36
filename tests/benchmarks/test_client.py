"""The client against a real server that answers what a test says."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from benchmarks.client import LOST, WRONG, Client, make_request

GOOD = b'{"sentiment":"positive"}'
Reply = Callable[[int], bytes | None]  # the number of a request to the bytes of its answer; None: hang up


def reply(body: bytes, status: int = 200, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s" % (status, headers, len(body), body)


class Server:
    """Counts what it gets; each connection is served until its client leaves."""

    def __init__(self, answer: Reply) -> None:
        self._answer = answer
        self.bodies: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                number = len(self.bodies)
                self.bodies.append(await reader.readexactly(length))
                found = self._answer(number)
                if found is None:
                    break
                for piece in (found[:20], found[20:]):  # a client must cope with pieces
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if b"connection: close" in found.lower():
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Reply, texts: int = 1_000) -> AsyncIterator[tuple[Server, Client]]:
    server = Server(answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    requests = (make_request("127.0.0.1", b'{"text":"%d"}' % number) for number in range(texts))
    async with listener:
        yield server, Client("127.0.0.1", port, requests)


async def send_in_turn(client: Client, count: int) -> list[int]:
    """Send requests, each when the one before is answered."""
    left = count - 1
    done = asyncio.Event()

    def next_one() -> None:
        nonlocal left
        if left:
            left -= 1
            client.send(time.perf_counter())
        else:
            done.set()

    client.answered = next_one
    client.send(time.perf_counter())
    await asyncio.wait_for(done.wait(), 30)
    client.answered = lambda: None
    await client.drain(1)
    return [answer.status for answer in client.answers]


def test_requests_in_turn_share_one_connection() -> None:
    async def run() -> None:
        async with serving(lambda _: reply(GOOD)) as (server, client):
            assert await send_in_turn(client, 20) == [200] * 20
            assert server.connections == 1
            assert server.bodies == [b'{"text":"%d"}' % number for number in range(20)]

    asyncio.run(run())


def test_requests_at_once_have_a_connection_each() -> None:
    async def run() -> None:
        async with serving(lambda _: reply(GOOD)) as (server, client):
            for _ in range(5):
                client.send(time.perf_counter())
            await client.drain(30)
            assert server.connections == 5
            assert client.in_flight == 0
            assert [answer.status for answer in client.answers] == [200] * 5

    asyncio.run(run())


def test_a_status_is_reported_and_a_body_without_sentiment_is_wrong() -> None:
    replies = [reply(GOOD), reply(b"{}", 429), reply(b'{"answer":1}'), reply(GOOD)]

    async def run() -> None:
        async with serving(lambda number: replies[number]) as (_, client):
            assert await send_in_turn(client, 4) == [200, 429, WRONG, 200]

    asyncio.run(run())


def test_a_server_that_closes_after_each_answer_gets_a_new_connection() -> None:
    async def run() -> None:
        async with serving(lambda _: reply(GOOD, headers=b"Connection: close\r\n")) as (server, client):
            assert await send_in_turn(client, 5) == [200] * 5
            assert server.connections == 5

    asyncio.run(run())


def test_a_connection_that_breaks_loses_its_request_and_no_other() -> None:
    async def run() -> None:
        async with serving(lambda number: None if number == 1 else reply(GOOD)) as (_, client):
            assert await send_in_turn(client, 4) == [200, LOST, 200, 200]

    asyncio.run(run())


def test_a_server_that_is_not_there_loses_requests() -> None:
    async def run() -> None:
        async with serving(lambda _: reply(GOOD)) as (_, client):
            pass
        client.send(time.perf_counter())
        await client.drain(30)
        assert [answer.status for answer in client.answers] == [LOST]

    asyncio.run(run())


def test_a_client_without_requests_left_says_so() -> None:
    async def run() -> None:
        async with serving(lambda _: reply(GOOD), texts=3) as (server, client):
            exhausted = []
            for _ in range(4):  # the last on a connection that is idle
                client.send(time.perf_counter())
                while client.in_flight:
                    await asyncio.sleep(0)
                exhausted.append(client.exhausted)
            assert exhausted == [False, False, False, True]
            assert len(client.answers) == len(server.bodies) == 3

    asyncio.run(run())


def test_a_client_without_requests_left_says_so_on_new_connections() -> None:
    async def run() -> None:
        async with serving(lambda _: reply(GOOD), texts=3) as (_, client):
            for _ in range(5):
                client.send(time.perf_counter())
            await client.drain(30)
            assert (client.exhausted, client.in_flight) == (True, 0)
            assert [answer.status for answer in client.answers] == [200] * 3

    asyncio.run(run())


def test_latency_counts_from_when_a_request_was_due() -> None:
    async def run() -> None:
        async with serving(lambda _: reply(GOOD)) as (_, client):
            client.send(time.perf_counter() - 5)
            await client.drain(30)
            (answer,) = client.answers
            assert answer.ended - answer.due > 5

    asyncio.run(run())
