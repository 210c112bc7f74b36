"""One kept connection of a client: HTTP/1.1, a request at a time, closed where the server asks for it."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from tests.e2e.balancer import Address

_LARGEST_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Way:
    """How requests are addressed, whoever takes them.

    Attributes:
        authority: The Host header; empty for the address itself.
        prefix: What stands before `/predict`; `{pod}` and `{port}` in it are the address's.
        via: Host and port of a proxy for all connections, which takes each request to the pod in its path.
        headers: Makes further header lines of each request, each with its line end.
    """

    tls: ssl.SSLContext | None = None
    authority: str = ""
    prefix: str = ""
    via: tuple[str, int] | None = None
    headers: Callable[[], str] = str


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a body, which is None where it is no JSON object."""

    status: int
    body: dict[str, Any] | None


class BrokenError(Exception):
    """The connection ended before the answer did."""


class Connection:
    """Open with `Connection.open`; then `ask`, again and again, while it is `usable`."""

    def __init__(
        self,
        address: Address,
        way: Way,
        lasts_s: float,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.address = address
        self.opened = time.monotonic()
        self.until = self.opened + lasts_s
        self.asked = 0
        self._way = way
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: Address, way: Way, lasts_s: float) -> Self:
        """Connect.

        Args:
            address: Where to.
            way: How its requests are addressed.
            lasts_s: How long its owner means to use it.

        Raises:
            OSError: That cannot be done.
        """
        name = way.authority.rpartition(":")[0] or way.authority or None
        streams = await asyncio.open_connection(
            *(way.via or (address.host, address.port)),
            ssl=way.tls,
            server_hostname=name if way.tls else None,
            limit=_LARGEST_HEAD,
        )
        return cls(address, way, lasts_s, *streams)

    @property
    def usable(self) -> bool:
        """Whether the other side has not ended it."""
        ended = self._reader.at_eof() or self._reader.exception() is not None
        return not ended and not self._writer.is_closing()

    async def ask(self, path: str, body: bytes) -> Reply:
        """Send one request, never again, and return its answer.

        Raises:
            BrokenError: The answer is not whole.
            OSError: The connection was reset.
        """
        self.asked += 1
        way, address = self._way, self.address
        prefix = way.prefix.format(pod=address.pod, port=address.port)
        head = (
            f"POST {prefix}{path} HTTP/1.1\r\nHost: {way.authority or address}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{way.headers()}\r\n"
        )
        self._writer.write(head.encode() + body)
        try:
            answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = answer.split("\r\n")
            fields = {
                name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
            }
            content = await self._body(fields)
            status = int(status_line.split()[1])
        except asyncio.IncompleteReadError as error:
            got = f"after {len(error.partial)} bytes of the answer" if error.partial else "without an answer"
            raise BrokenError(f"closed {got}") from error
        except (asyncio.LimitOverrunError, ValueError, IndexError) as error:
            raise BrokenError(f"not HTTP: {error}") from error
        if fields.get("connection", "").lower() == "close":
            self.close()
        return Reply(status, _object(content))

    def close(self) -> None:
        """End it from this side."""
        self._writer.close()

    def abort(self) -> None:
        """End it at once: over TLS, `close` waits for the other side, and a loop that ends does not."""
        self._writer.transport.abort()

    async def _body(self, fields: dict[str, str]) -> bytes:
        if fields.get("transfer-encoding", "").lower() != "chunked":
            return await self._reader.readexactly(int(fields.get("content-length", "0")))
        content = b""  # a proxy on the way may send it so
        while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            content += (await self._reader.readexactly(size + 2))[:-2]
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return content


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
