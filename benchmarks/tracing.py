"""What tracing costs a request: `python -m benchmarks.tracing PACKAGE`.

The requests are real ones, but for the sockets: `bento.direct` gets their bodies and gives their answers, and
a collector in a process of its own takes the spans. Counted is the processor time of the server's process,
the thread that sends included. The three ways take turns; told are medians over the rounds.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bento import logs
from bento.api import create_app
from bento.direct import DirectHandler
from bento.registry import Resolved
from bento.settings import Settings

_ROUNDS = 8
_REQUESTS = 320  # in a round
_AT_ONCE = 32
_SENT_S = 0.5  # after a round its spans have left
_BODY = b'{"text":"What a film, and what a table! I would not have thought that I would like it."}'
_TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"
_WAYS = {"off": None, "not sampled": _TRACE + "00", "sampled": _TRACE + "01"}

_COLLECTOR = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracing", description=__doc__)
    parser.add_argument("package", type=Path, help="a model package")
    package = parser.parse_args().package
    logs.configure("warning")
    with _collector() as url:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
        os.environ["OTEL_BSP_MAX_QUEUE_SIZE"] = "100000"  # nothing is left out
        os.environ["OTEL_BSP_SCHEDULE_DELAY"] = "50"
        took = asyncio.run(_measure(package))
    print(f"{'way':12} {'CPU-µs/request':>15} {'more than off':>15}")
    for way, seconds in took.items():
        more = statistics.median(one - off for one, off in zip(seconds, took["off"], strict=True))
        middle = statistics.median(seconds)
        print(f"{way:12} {middle * 1e6:15.1f} {more * 1e6:9.1f} {more / statistics.median(took['off']):5.1%}")
    return 0


async def _measure(package: Path) -> dict[str, list[float]]:
    """Return the seconds of a request, by way and round."""
    app = create_app(Settings(max_queue_ms=60_000), lambda: Resolved(package, None))
    took: dict[str, list[float]] = {way: [] for way in _WAYS}
    async with app.router.lifespan_context(app):
        state = app.state.valence
        tracer = state.books.trace
        handler = DirectHandler(state)
        for number in range(_ROUNDS + 1):
            for way, traceparent in _WAYS.items():
                state.books.trace = None if traceparent is None else tracer
                began = time.process_time()
                await asyncio.gather(*(_ask(handler, traceparent) for _ in range(_AT_ONCE)))
                await asyncio.sleep(_SENT_S)
                if number:  # the first is for warming up
                    took[way].append((time.process_time() - began) / _REQUESTS)
    return took


async def _ask(handler: DirectHandler, traceparent: str | None) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]
    if traceparent is not None:
        headers.append((b"traceparent", traceparent.encode()))
    for _ in range(_REQUESTS // _AT_ONCE):
        answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def reply(code: int, *_: Any, to: asyncio.Future[int] = answered) -> bool:  # noqa: ANN401
            to.set_result(code)
            return True

        call = handler.take({"path": "/predict", "method": "POST", "headers": headers})
        assert call is not None  # noqa: S101 - it is short
        call.answer(_BODY, reply)
        if await answered != 200:
            raise SystemExit("a request was not answered")


@contextlib.contextmanager
def _collector() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", _COLLECTOR], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101 - as it was asked for
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


if __name__ == "__main__":
    sys.exit(main())
