"""Tokenising what takes long: in a thread beside the event loop, one request after another.

One thread, as most of the work holds the interpreter's lock: more of them would keep the event loop from it.
With one, whoever comes can be told how long it takes: 40 callers who each sent 256 long texts at a time were
refused after 5 s when nobody counted what waited here.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_SMOOTHING = 0.2  # weight of the newest request in what a character costs

T = TypeVar("T")


class Tokenising:
    """The thread, and how much waits for it. Belongs to one event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "tokenise")
        self._waiting_chars = 0
        self._char_s = 0.0

    @property
    def wait_s(self) -> float:
        """How long it takes until who comes now gets the thread; 0 as long as nothing was measured."""
        return self._waiting_chars * self._char_s

    async def run(self, encode: Callable[[], T], chars: int) -> T:
        """Do a request's work in the thread; cancelling the call withdraws what has not begun.

        Args:
            encode: The work.
            chars: How much that is.
        """
        self._waiting_chars += chars
        try:
            encoded, took_s = await asyncio.get_running_loop().run_in_executor(self._thread, _timed, encode)
        finally:
            self._waiting_chars -= chars
        weight = _SMOOTHING if self._char_s else 1.0
        self._char_s += weight * (took_s / max(1, chars) - self._char_s)
        return encoded

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        self._thread.shutdown(wait=False)


def _timed(encode: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    return encode(), time.perf_counter() - started
