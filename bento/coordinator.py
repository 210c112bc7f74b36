"""A change of model in all workers or in none: the side of the worker that was asked for it.

All workers stage the new model beside the old one; when all have, the pointer is replaced, which is the
moment of the change, and all switch. Whatever fails before that moment leaves everything as it was.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from bento.logs import log_warning
from bento.participant import LONGEST_LINE, SWITCH, Vote
from bento.rundir import ModelRef, RunDirectory

STAGE_WITHIN_S = 60.0  # to load, prove and warm up a model while the old one serves
SWITCH_WITHIN_S = 10.0  # to hear of the switch; a worker that is late switches all the same

_Voter = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class RefusedError(Exception):
    """A worker refuses the model; the message says why. Nothing has changed."""


class WorkersMissingError(Exception):
    """A worker is starting, went, or took too long. Nothing has changed."""


async def change_model(
    run: RunDirectory, choice: ModelRef, *, workers: int, stage_within_s: float = STAGE_WITHIN_S
) -> int:
    """Have all workers serve another model.

    Args:
        run: Where they listen.
        choice: The model.
        workers: How many there should be.
        stage_within_s: How long they may take to stage it.

    Returns:
        How many have switched. One that has not said so does it as soon as it can, or is dead, and its
        successor starts with the new model.

    Raises:
        BusyError: Another change, or the start of a worker, is under way.
        RefusedError: See there.
        WorkersMissingError: See there.
        OSError: The change could not be written; it has not happened.
    """
    with run.alone():
        async with _connect(run.sockets()) as voters:
            if len(voters) < workers:
                raise WorkersMissingError(f"{len(voters)} of {workers} workers are there")
            await _stage(voters, choice, stage_within_s)
            if any(reader.at_eof() for reader, _ in voters):
                raise WorkersMissingError("a worker ended after it had staged the model")
            run.commit(choice)  # not in a thread, where it could outlive a cancelled request, and so the lock
            return await _switch(voters)


@contextlib.asynccontextmanager
async def _connect(sockets: Sequence[Path]) -> AsyncIterator[list[_Voter]]:
    """Connect to those who listen; ends without a verdict unless `_switch` gave one."""
    voters: list[_Voter] = []
    try:
        for socket in sockets:
            try:
                voters.append(await asyncio.open_unix_connection(socket, limit=LONGEST_LINE))
            except ConnectionRefusedError:
                socket.unlink(missing_ok=True)  # its worker is dead
            except FileNotFoundError:
                continue  # its worker has just left
        yield voters
    finally:
        for _, writer in voters:
            writer.close()


async def _stage(voters: Sequence[_Voter], choice: ModelRef, within_s: float) -> None:
    asking = [asyncio.ensure_future(_ask(voter, choice)) for voter in voters]
    try:
        async with asyncio.timeout(within_s):
            for vote in asyncio.as_completed(asking):
                await vote
    except TimeoutError:
        raise WorkersMissingError(f"a worker has not staged the model within {within_s:g} s") from None
    finally:
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def _ask(voter: _Voter, choice: ModelRef) -> None:
    reader, writer = voter
    try:
        writer.write(choice.model_dump_json().encode() + b"\n")
        await writer.drain()
        vote = Vote.model_validate_json(await reader.readline())
    except (ConnectionError, ValidationError):
        raise WorkersMissingError("a worker ended while it staged the model") from None
    if vote.refusal is not None:
        raise RefusedError(vote.refusal)


async def _switch(voters: Sequence[_Voter]) -> int:
    async def tell(voter: _Voter) -> bool:
        reader, writer = voter
        with contextlib.suppress(OSError):  # of a timeout too; whatever it is, the change has happened
            async with asyncio.timeout(SWITCH_WITHIN_S):
                writer.write(SWITCH)
                await writer.drain()
                return await reader.readline() == SWITCH
        return False

    told = await asyncio.gather(*map(tell, voters))
    if not all(told):
        log_warning("not all workers have said that they switched", said=sum(told), workers=len(told))
    return sum(told)
