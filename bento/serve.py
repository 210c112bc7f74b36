"""Serve the API from this one process: the shape for a container.

`bentoml serve` keeps a process beside the server, which starts it again when it dies, and both import all of
BentoML. In a container that is the kubelet's work. This is the same API without them: ready in less than half
of the time, in half of the memory.
"""

import argparse
import math
import signal
import socket
import sys
from functools import partial
from typing import cast

import uvicorn
from starlette.applications import Starlette

from bento import logs
from bento.api import create_app
from bento.direct import DirectHandler
from bento.protocol import HttpProtocol
from bento.registry import resolve
from bento.server import Server
from bento.settings import PREFIX, Settings, SettingsError, load_settings
from bento.state import AppState
from bento.unread import refuse

_LONGEST_REQUEST_S = 30  # when a lane has it; who has not taken their answer by then does not keep the server
_KEEP_ALIVE_S = 100  # longer than clients keep an idle connection (Go's: 90 s), so that it is they who end it


def main() -> int:
    """Serve until SIGTERM or SIGINT.

    Returns:
        0 after leaving in order, 1 where the model is refused or the address is taken, 2 where a setting is
        wrong; 3 comes from uvicorn where starting fails as nobody expected.
    """
    arguments = _parse()
    try:
        settings = load_settings()
    except SettingsError as error:
        return _refuse(str(error), 2)
    if settings.workers > 1:
        return _refuse(
            f"{PREFIX}WORKERS is {settings.workers}, but this is one process; use bentoml serve", 2
        )
    if not settings.model:
        return _refuse(f"{PREFIX}MODEL is not set; set it to a package directory or to models:/name/3", 2)
    try:
        listening = _listen(arguments.host, arguments.port)
    except OSError as error:
        return _refuse_address(arguments, error)
    logs.configure(settings.log_level, settings.log_requests_per_s)
    app = create_app(settings, partial(resolve, settings.model, settings.registry, settings.cache_dir))
    config = uvicorn.Config(
        app,
        http=_protocol(app, settings),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.max_queue_ms / 1e3) + _LONGEST_REQUEST_S,
        ws="none",
    )
    server = Server(config, app)

    def end(*_: object) -> None:
        server.should_exit = True

    # uvicorn raises a signal again when it is done, to end as others do; leaving in order is no failure.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        server.run(listening)
    except OSError as error:
        return _refuse_address(arguments, error)
    return 1 if server.refused else 0


def _protocol(app: Starlette, settings: Settings) -> type[HttpProtocol]:
    """Return what speaks HTTP; all through ASGI where a middleware has cross-origin headers to add."""
    state: AppState = app.state.valence
    handler = None if settings.cors_origins else DirectHandler(state)
    return cast(
        "type[HttpProtocol]", partial(HttpProtocol, handler=handler, refuse=partial(refuse, state.books))
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bento.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=3000, help="port to listen on (default: %(default)s)")
    return parser.parse_args()


def _port(value: str) -> int:
    if not value.isdecimal() or not 0 <= int(value) <= 65535:
        raise argparse.ArgumentTypeError(f"{value} is not a port; take one from 1 to 65535, or 0: any")
    return int(value)


def _listen(host: str, port: int) -> list[socket.socket]:
    """Take the address, which minutes of loading a model should not precede; nobody can connect yet."""
    taken: list[socket.socket] = []
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in dict.fromkeys(found):
        listening = socket.socket(family, kind, protocol)
        taken.append(listening)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
    return taken


def _refuse_address(arguments: argparse.Namespace, error: OSError) -> int:
    why = f"port {arguments.port} of {arguments.host} cannot be used ({error.strerror})"
    return _refuse(f"{why}; stop what listens there, or name another --port or --host", 1)


def _refuse(why: str, code: int) -> int:
    print(f"bento.serve: {why}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
