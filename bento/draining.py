"""Leaving without losing a request.

SIGTERM comes at the same time as the news to load balancers that this server goes, and some hear it seconds
later. So readiness fails at once, while requests are still answered for `VALENCE_DRAIN_SERVE_MS`, each answer
asking the caller to come back on another connection. Then the server's own handler of the signal takes over:
connections are refused, requests that have begun are answered, the queue empties, the process ends.
"""

import asyncio
import signal
import threading
from types import FrameType

from bento.logs import log_event
from bento.state import AppState


def drain_on_sigterm(state: AppState) -> None:
    """Handle SIGTERM from now on; a second one ends the server without waiting.

    Nothing happens outside the main thread, where no signals arrive.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    servers_own = signal.getsignal(signal.SIGTERM)
    draining: set[asyncio.Task[None]] = set()  # a task that nothing refers to may vanish

    def end() -> None:
        signal.signal(signal.SIGTERM, servers_own)
        signal.raise_signal(signal.SIGTERM)

    async def drain() -> None:
        serve_s = state.settings.drain_serve_ms / 1e3
        log_event("draining", serves_on_s=serve_s)
        await asyncio.sleep(serve_s)
        end()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if state.draining:
            end()
        else:
            state.draining = True
            loop.call_soon_threadsafe(lambda: draining.add(loop.create_task(drain())))

    signal.signal(signal.SIGTERM, handle)
