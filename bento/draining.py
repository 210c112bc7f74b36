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
from bento.server import Server


def leave_on_sigterm(server: Server) -> None:
    """Handle SIGTERM from now on; a second one ends the server without waiting.

    Nothing happens outside the main thread, where no signals arrive.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    servers_own = signal.getsignal(signal.SIGTERM)
    leaving: set[asyncio.Task[None]] = set()  # a task that nothing refers to may vanish

    def end() -> None:
        signal.signal(signal.SIGTERM, servers_own)
        signal.raise_signal(signal.SIGTERM)

    async def leave() -> None:
        serve_s = server.settings.drain_serve_ms / 1e3
        log_event("leaving", serves_on_s=serve_s)
        await asyncio.sleep(serve_s)
        end()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if server.leaving:
            end()
        else:
            server.leaving = True
            loop.call_soon_threadsafe(lambda: leaving.add(loop.create_task(leave())))

    signal.signal(signal.SIGTERM, handle)
