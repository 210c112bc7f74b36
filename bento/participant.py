"""A worker's side of a change of model: it stages what it is told to, and switches when all have.

A conversation is one connection. The coordinator sends a choice; the worker stages it beside the model
that it serves, and answers with its vote; the coordinator sends `SWITCH`, or ends the connection. An end
without a verdict, be it that another worker refused or that the coordinator died, is settled by the
pointer: what it names was committed. A worker that cannot follow a commit ends, since its successor starts
with what was committed.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from bento.logs import log_error, log_warning
from bento.package import PackageError
from bento.rundir import ModelRef, RunDirectory

SWITCH = b"switch\n"
LONGEST_LINE = 1 << 16  # bytes of a message


class Vote(BaseModel):
    """What a worker says once it has staged a choice, or has failed to."""

    refusal: str | None = None


class Member(Protocol):
    """What has a model that can be changed."""

    async def stage(self, choice: ModelRef) -> None:
        """Load a model beside the one that serves.

        Raises:
            PackageError: It must not be served; nothing is staged.
        """

    def switch(self) -> None:
        """Serve what is staged. It is committed: where this fails, the worker ends."""

    async def discard(self) -> None:
        """Let go of what is staged."""


class Participant:
    """Listens for coordinators on behalf of a member."""

    def __init__(self, run: RunDirectory, member: Member, end_worker: Callable[[], None]) -> None:
        """Prepare; `listen` begins.

        Args:
            run: Where it listens.
            member: Whose model is changed.
            end_worker: Has the worker replaced by one that starts with what is committed.
        """
        self._run = run
        self._member = member
        self._end_worker = end_worker
        self._staging = asyncio.Lock()
        self._conversations: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._socket: Path = run.new_socket()

    async def listen(self) -> None:
        """Take part from now on; call it where `RunDirectory.alone` holds."""
        self._server = await asyncio.start_unix_server(self._accept, self._socket, limit=LONGEST_LINE)

    async def close(self) -> None:
        """Take no part any more; what is staged is let go."""
        if self._server is not None:
            self._server.close()
            self._socket.unlink(missing_ok=True)
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.ensure_future(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(partial(self._end, writer))

    def _end(self, writer: asyncio.StreamWriter, conversation: asyncio.Task[None]) -> None:
        writer.close()
        self._conversations.discard(conversation)
        if not conversation.cancelled() and (error := conversation.exception()) is not None:
            log_warning("a reload failed in this worker", error=type(error).__name__)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readline()
        if not asked:
            return
        choice = ModelRef.model_validate_json(asked)
        async with self._staging:  # a coordinator's end may be heard of after its successor's beginning
            await self._take_part(choice, reader, writer)

    async def _take_part(
        self, choice: ModelRef, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await self._member.stage(choice)
        except PackageError as error:
            await _say(writer, Vote(refusal=str(error)))
            return
        try:
            await self._settle(choice, reader, writer)
        except BaseException:
            await self._member.discard()
            raise

    async def _settle(
        self, choice: ModelRef, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        verdict = b""
        with contextlib.suppress(ConnectionError):
            await _say(writer, Vote())
            verdict = await reader.readline()
        try:
            committed = verdict == SWITCH or self._run.choice() == choice
            if committed:
                self._member.switch()
        except BaseException as error:
            log_error("the worker ends, as it cannot follow a change of model", error=type(error).__name__)
            self._end_worker()
            raise
        if not committed:
            await self._member.discard()
            return
        with contextlib.suppress(ConnectionError):
            writer.write(SWITCH)
            await writer.drain()


async def _say(writer: asyncio.StreamWriter, vote: Vote) -> None:
    writer.write(vote.model_dump_json().encode() + b"\n")
    await writer.drain()
