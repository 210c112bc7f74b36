"""uvicorn's server, but for how it begins and how it ends.

It ends at once where the model is refused. When it leaves in order, whoever is connected by then is answered,
also those whose connection the kernel has made and nobody has accepted: closing a socket that listens resets
them. So that none is made between a look at these and the closing, no handshake begins from a moment before
on. Who tries then is refused a second later, when the kernel of the caller asks again.
"""

import asyncio
import contextlib
import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Iterable

import uvicorn
from starlette.applications import Starlette

from bento.logs import log_event
from bento.state import AppState

_HANDSHAKE_S = 0.2  # what one may take that has begun, as long as the caller is not very far

# Of <linux/filter.h>: a program for what the socket receives, from the TCP header on.
_SO_ATTACH_FILTER = 26
_DROP_SYN = (
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x45, 0, 1, 0x02),  # if SYN is set
    (0x06, 0, 0, 0),  # then drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # else keep all of it
)


class Server(uvicorn.Server):
    """Serves an app of `bento.api` on sockets that are bound."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        """Take the app also as what is in `config` without what stands around it."""
        super().__init__(config)
        self._state: AppState = app.state.valence

    @property
    def refused(self) -> bool:
        """Whether the model must not be served."""
        return self._state.refused

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, unless the model is refused: nobody is served by staying up without being ready.

        Raises:
            OSError: Somebody else listens by now: as long as nobody does, several can bind one address.
        """
        try:
            await super().startup(sockets)
            _require_open(sockets or ())
        except OSError:
            await self.lifespan.shutdown()
            raise
        self.should_exit = self.should_exit or self.refused
        if not self.should_exit:
            log_event("listening", at=[_address(listening) for listening in self._listening()])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, answer who is connected, each answer the last on its connection."""
        self._state.draining = True
        for listening in self._listening():
            _begin_no_handshakes(listening)
        await asyncio.sleep(_HANDSHAKE_S)
        await asyncio.gather(*map(self._begin, self._close_doors()))
        await super().shutdown(sockets)

    def _close_doors(self) -> list[socket.socket]:
        """Return who had connected; without an `await`, so that nobody connects unseen between the two."""
        doors = [listening.dup() for listening in self._listening()]
        for server in self.servers:
            server.close()
        arrived: list[socket.socket] = []
        for door in doors:
            with door, contextlib.suppress(OSError):  # all, or as many as there are descriptors for
                door.settimeout(0)
                while True:
                    with contextlib.suppress(ConnectionError):  # who left before being let in
                        arrived.append(door.accept()[0])
        return arrived

    def _listening(self) -> list[socket.socket]:
        return [listening for server in self.servers for listening in server.sockets]

    async def _begin(self, arrived: socket.socket) -> None:
        """Do with a connection what uvicorn does with those that the event loop accepts."""
        arrived.settimeout(0)
        with contextlib.suppress(OSError):  # the caller has left
            await asyncio.get_running_loop().connect_accepted_socket(self._make_protocol, arrived)

    def _make_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _require_open(sockets: Iterable[socket.socket]) -> None:
    """Raise what asyncio raises where it cannot listen: uvloop closes the socket and says nothing."""
    if any(listening.fileno() < 0 for listening in sockets):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _address(listening: socket.socket) -> str:
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _begin_no_handshakes(listening: socket.socket) -> None:
    """Go on with those that have begun, where the system knows how."""
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_SYN))
        described = struct.pack("HP", len(_DROP_SYN), ctypes.addressof(program))
        with contextlib.suppress(OSError):
            listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
