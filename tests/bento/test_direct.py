"""Predictions without ASGI: the same answers, and nothing lost, mixed up or computed for nobody."""

import asyncio
import gc
import json
import re
import socket
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from bento.direct import DirectHandler
from bento.protocol import HttpProtocol
from bento.rundir import ModelRef
from bento.state import AppState

WITHIN_S = 20
JSON = {"content-type": "application/json"}
GOOD = b'{"text":"good"}'
MakeApp = Callable[..., Starlette]


class Served:
    """The API behind a real socket; `asgi` counts the requests that were not answered directly."""

    def __init__(self, app: Starlette, address: tuple[str, int]) -> None:
        self.app = app
        self.address = address
        self.url = f"http://{address[0]}:{address[1]}"
        self.asgi = 0

    @property
    def state(self) -> AppState:
        state: AppState = self.app.state.valence
        return state

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.address)


@asynccontextmanager
async def serve(app: Starlette) -> AsyncIterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served = Served(app, listening.getsockname())

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            served.asgi += scope["type"] == "http"
            await app(scope, receive, send)

        http = partial(HttpProtocol, handler=DirectHandler(app.state.valence))
        config = uvicorn.Config(counted, http=cast("type[HttpProtocol]", http), log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0)
        try:
            yield served
        finally:
            server.should_exit = True
            await serving


def run(scenario: Coroutine[Any, Any, None]) -> None:
    uvloop.run(asyncio.wait_for(scenario, WITHIN_S))


def post(body: bytes, *headers: str) -> bytes:
    head = ["POST /predict HTTP/1.1", "host: x", "content-type: application/json", *headers]
    return "\r\n".join([*head, f"content-length: {len(body)}", "", ""]).encode() + body


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes, dict[str, Any]]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    return int(head.split(b" ", 2)[1]), head, json.loads(await reader.readexactly(int(length[1])))


def comparable(answer: httpx.Response) -> tuple[int, set[str], Any]:
    """Return what does not differ from one request to the next."""
    body = {key: value for key, value in answer.json().items() if key not in {"id", "latency_ms"}}
    return answer.status_code, set(answer.headers) - {"date", "server"}, body


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (GOOD, {}),
        (json.dumps({"text": "the film was awful &amp; bad"}).encode(), {}),
        (json.dumps({"text": "good " * 200}).encode(), {}),  # truncated
        (GOOD, {"x-request-id": "mine", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}),
        (GOOD, {"x-request-timeout-ms": "10000"}),
        (GOOD, {"connection": "upgrade, http2-settings", "upgrade": "h2c", "http2-settings": "AAEA"}),
        (GOOD, {"x-request-timeout-ms": "never"}),
        (GOOD, {"content-type": "text/plain"}),
        (GOOD, {"content-encoding": "gzip"}),
        (b"", {}),
        (b"{", {}),
        (b'{"text":7}', {}),
        (b'{"text":"<p> </p>"}', {}),
        (b'{"text":"good","more":1}', {}),
    ],
)
def test_answers_are_those_of_the_api(
    package_dir: Path, make_app: MakeApp, body: bytes, headers: dict[str, str]
) -> None:
    headers = {"x-request-id": "r-1"} | JSON | headers

    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served:
            async with httpx.AsyncClient(base_url=served.url) as client:
                direct = await client.post("/predict", content=body, headers=headers)
            transport = httpx.ASGITransport(served.app)
            async with httpx.AsyncClient(transport=transport, base_url=served.url) as client:
                asgi = await client.post("/predict", content=body, headers=headers)
            assert comparable(direct) == comparable(asgi)
            assert served.asgi == 0

    run(scenario())


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/predict/batch", b'{"texts":["good"]}', {}),
        ("/predict", b'{"text":"good"}' + b" " * 5000, {}),
        ("/predict", GOOD, {"expect": "100-continue"}),
    ],
)
def test_all_else_is_left_to_the_api(
    package_dir: Path, make_app: MakeApp, path: str, body: bytes, headers: dict[str, str]
) -> None:
    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served:
            async with httpx.AsyncClient(base_url=served.url) as client:
                answer = await client.post(path, content=body, headers=JSON | headers)
            assert answer.status_code == 200
            assert served.asgi == 1

    run(scenario())


def test_a_body_of_unknown_length_is_left_to_the_api(package_dir: Path, make_app: MakeApp) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield GOOD[:5]
        yield GOOD[5:]

    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served:
            async with httpx.AsyncClient(base_url=served.url) as client:
                answer = await client.post("/predict", content=pieces(), headers=JSON)
            assert answer.json()["sentiment"] == "positive"
            assert served.asgi == 1

    run(scenario())


def test_a_body_may_come_in_pieces(package_dir: Path, make_app: MakeApp) -> None:
    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served:
            reader, writer = await served.connect()
            request = post(GOOD)
            for byte in range(len(request)):
                writer.write(request[byte : byte + 1])
                await writer.drain()
            assert (await read_answer(reader))[2]["sentiment"] == "positive"
            writer.close()

    run(scenario())


def test_requests_that_come_together_on_one_connection_are_answered_in_order(
    package_dir: Path, make_app: MakeApp
) -> None:
    """More of them than Python's stack is deep, some answered at once, and some by the API."""
    texts = [b'{"text":"good"}', b'{"text":"awful"}', b"{", b'{"text":"good"}' + b" " * 5000]

    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served:
            reader, writer = await served.connect()
            order = [texts[number % len(texts)] for number in range(1_200)]
            writer.write(b"".join(map(post, order)))
            answers = [(await read_answer(reader))[2].get("sentiment") for _ in order]
            expected = {texts[0]: "positive", texts[1]: "negative", texts[2]: None, texts[3]: "positive"}
            assert answers == [expected[text] for text in order]
            assert served.asgi == 300
            writer.close()

    run(scenario())


def test_a_text_that_the_model_fails_on_fails_alone(
    tmp_path: Path, make_package: Callable[..., Any], make_app: MakeApp
) -> None:
    package = make_package(tmp_path / "package", poison=["arsenic"]).path

    async def scenario() -> None:
        async with serve(make_app(package)) as served, httpx.AsyncClient(base_url=served.url) as client:
            texts = ["good", "arsenic", "bad"]
            answers = await asyncio.gather(*(client.post("/predict", json={"text": text}) for text in texts))
            assert [answer.status_code for answer in answers] == [200, 500, 200]
            assert answers[1].json()["errors"][0]["field"] == "text"

    run(scenario())


def test_a_deadline_is_kept_and_who_leaves_is_not_computed(
    tmp_path: Path, make_package: Callable[..., Any], make_app: MakeApp
) -> None:
    """The model is slow, so that a text is still waiting when its time is over or its caller leaves."""
    package = make_package(tmp_path / "package", layers=20, max_tokens=512, extra_words=["so"]).path
    slow = json.dumps({"text": "so " * 400}).encode()

    async def scenario() -> None:
        async with serve(make_app(package, lanes=1, batch_tokens=1, max_queue_ms=60_000)) as served:
            assert served.state.serving is not None
            runner = served.state.serving.runner
            others = [await served.connect() for _ in range(2)]
            for _, writer in others:
                writer.write(post(slow))
            while runner.depth != 1:  # the other one is being scored
                await asyncio.sleep(0)
            reader, writer = await served.connect()
            writer.write(post(slow, "x-request-timeout-ms: 1"))
            assert (await read_answer(reader))[0] in (429, 504)
            writer.write(post(slow))
            while runner.depth != 2:
                await asyncio.sleep(0)
            writer.close()
            for other, writer in others:
                assert (await read_answer(other))[0] == 200
                writer.close()
            async with httpx.AsyncClient(base_url=served.url) as client:
                metrics = (await client.get("/metrics")).text
            assert 'valence_requests_total{code="499",route="/predict"} 1.0' in metrics
            assert "valence_batch_texts_count 2.0" in metrics

    run(scenario())


def test_while_the_server_drains_every_answer_ends_its_connection(
    package_dir: Path, make_app: MakeApp
) -> None:
    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served:
            reader, writer = await served.connect()
            writer.write(post(GOOD))
            code, head, _ = await read_answer(reader)
            assert (code, b"connection: close" in head) == (200, False)
            served.state.draining = True
            writer.write(post(GOOD))
            code, head, _ = await read_answer(reader)
            assert (code, head.count(b"connection: close")) == (200, 1)
            assert await reader.read() == b""
            writer.close()

    run(scenario())


def test_a_request_is_booked(package_dir: Path, make_app: MakeApp) -> None:
    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served, httpx.AsyncClient(base_url=served.url) as client:
            await client.post("/predict", content=GOOD, headers=JSON)
            await client.post("/predict", content=b"{", headers=JSON)
            metrics = (await client.get("/metrics")).text
            assert 'valence_requests_total{code="200",route="/predict"} 1.0' in metrics
            assert 'valence_requests_total{code="400",route="/predict"} 1.0' in metrics
            assert 'valence_rejected_total{reason="not_json"} 1.0' in metrics

    run(scenario())


def test_the_clock_starts_with_the_head(package_dir: Path, make_app: MakeApp) -> None:
    """As with ASGI: a caller counts from there too."""

    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served:
            reader, writer = await served.connect()
            request = post(GOOD, "x-request-timeout-ms: 20")
            writer.write(request[:-1])
            await asyncio.sleep(0.05)
            writer.write(request[-1:])
            assert (await read_answer(reader))[0] == 504
            writer.close()

    run(scenario())


def test_who_leaves_before_the_body_is_complete_is_booked(package_dir: Path, make_app: MakeApp) -> None:
    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served, httpx.AsyncClient(base_url=served.url) as client:
            _, writer = await served.connect()
            writer.write(post(GOOD)[:-1])
            await writer.drain()
            await client.get("/livez")
            writer.close()
            while '"499",route="/predict"} 1.0' not in (await client.get("/metrics")).text:
                await asyncio.sleep(0)

    run(scenario())


def test_a_connection_that_stays_open_does_not_keep_the_model_that_answered_it(
    package_dir: Path, make_app: MakeApp
) -> None:
    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served:
            reader, writer = await served.connect()
            for body in (GOOD, b"{"):
                writer.write(post(body))
                await read_answer(reader)
            old = weakref.ref(served.state.serving)
            await served.state.stage(ModelRef(path=package_dir, digest=None, version="2"))
            served.state.switch()
            while old() is not None:
                gc.collect()
                await asyncio.sleep(0)
            writer.close()

    run(scenario())


def test_many_callers_lose_nothing_while_the_model_is_changed(package_dir: Path, make_app: MakeApp) -> None:
    texts = {"good": "positive", "awful": "negative"}

    async def scenario() -> None:
        async with serve(make_app(package_dir)) as served:
            versions: set[str] = set()
            changed = asyncio.Event()

            async def call(text: str) -> None:
                reader, writer = await served.connect()
                after = 0
                while after < 3:
                    writer.write(post(json.dumps({"text": text}).encode()))
                    code, _, body = await read_answer(reader)
                    assert (code, body["sentiment"]) == (200, texts[text])
                    versions.add(body["model"]["version"])
                    after += changed.is_set()
                writer.close()

            async def change() -> None:
                for version in ("2", "3"):
                    await served.state.stage(ModelRef(path=package_dir, digest=None, version=version))
                    served.state.switch()
                changed.set()

            await asyncio.gather(change(), *(call(text) for text in texts for _ in range(8)))
            assert versions >= {"3"}
            assert served.asgi == 0

    run(scenario())
