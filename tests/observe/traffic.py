"""Requests to servers, as many a second as is wanted at the time, from one thread."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from benchmarks.client import Client, make_request

_PAUSE_S = 0.05


class Traffic:
    """Requests to one server; whoever changes `rate` (a second) or `texts` changes them at once."""

    def __init__(self, url: str, texts: Sequence[str], rate: float) -> None:
        self.texts = texts
        self.rate = rate
        self._host, self._port = urlsplit(url).hostname or "", urlsplit(url).port or 0

    async def run(self) -> None:
        """Ask on time, however long answers take, until cancelled."""
        client = Client(self._host, self._port, self._requests())
        due = time.perf_counter()
        while True:
            if not self.rate:
                await asyncio.sleep(_PAUSE_S)
                due = time.perf_counter()
                continue
            due += 1 / self.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            client.send(due)

    def _requests(self) -> Iterator[bytes]:
        number = 0
        while True:
            text = self.texts[number % len(self.texts)]
            number += 1
            yield make_request(self._host, json.dumps({"text": text}).encode())


class Callers:
    """All traffic; made by `run_callers`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def call(self, url: str, texts: Sequence[str], rate: float) -> Traffic:
        """Begin to ask a server."""
        traffic = Traffic(url, texts, rate)
        asyncio.run_coroutine_threadsafe(traffic.run(), self._loop)
        return traffic


@contextmanager
def run_callers() -> Iterator[Callers]:
    """Have an event loop in a thread; its end is the end of all traffic."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Callers(loop)
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
