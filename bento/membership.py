"""How a worker becomes one of those that serve: with the model that all of them serve, or not at all."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from bento.model import load_model
from bento.participant import Participant
from bento.registry import Resolved
from bento.rundir import VARIABLE, BusyError, ModelRef, RunDirectory, make_run_directory
from bento.settings import Settings
from bento.state import AppState

_RETRY_S = 0.02  # polled, since waiting for the lock in a thread could not be cancelled


def can_reload(settings: Settings) -> bool:
    """Tell whether the settings allow the model to be changed while it serves."""
    return settings.admin_token is not None and settings.model_digest is None


@contextlib.asynccontextmanager
async def join(state: AppState, find_model: Callable[[], Resolved]) -> AsyncIterator[None]:
    """Load the model, serve it, take part in its changes; at the end, finish what was taken.

    Nobody but the server keeps the model, so that it goes when it is changed.

    Args:
        state: Has the model while the context lasts.
        find_model: Says where the package lies, where no change has been committed before.

    Raises:
        PackageError: The model must not be served.
        RegistryError: It cannot be found.
        RunDirectoryError: There is no place to agree on a change.
    """
    async with contextlib.AsyncExitStack() as stack:
        if can_reload(state.settings):
            state.run, state.workers = stack.enter_context(_run_directory(state.settings))
        participant = await _load(state, find_model)
        stack.push_async_callback(state.close)
        if participant is not None:
            stack.push_async_callback(participant.close)
        yield


@contextlib.contextmanager
def _run_directory(settings: Settings) -> Iterator[tuple[RunDirectory, int]]:
    """Yield the directory of all workers and their number, or that of a server that is one process."""
    shared = os.environ.get(VARIABLE)
    if shared is not None:
        yield RunDirectory(Path(shared)), settings.workers
        return
    own = make_run_directory()
    try:
        yield RunDirectory(own), 1
    finally:
        shutil.rmtree(own)


async def _load(state: AppState, find_model: Callable[[], Resolved]) -> Participant | None:
    run = state.run
    choice = (run and run.choice()) or _first_choice(state.settings, find_model())
    while True:
        loaded = await load_model(choice, state.settings, state.metrics)
        if run is None:
            state.begin(loaded)
            return None
        async with _alone(run):
            committed = run.choice() or choice
            if committed == choice:
                state.begin(loaded)
                participant = Participant(run, state, _end_worker)
                await participant.listen()
                return participant
        await loaded.close()  # the model was changed while the old one was loaded
        choice = committed


def _first_choice(settings: Settings, found: Resolved) -> ModelRef:
    return ModelRef(
        path=found.path, digest=settings.model_digest, version=settings.model_version or found.version
    )


def _end_worker() -> None:
    """Leave as at any other end, finishing what was taken; whoever started the worker starts another."""
    signal.raise_signal(signal.SIGTERM)


@contextlib.asynccontextmanager
async def _alone(run: RunDirectory) -> AsyncIterator[None]:
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(run.alone())
                break
            except BusyError:
                await asyncio.sleep(_RETRY_S)
        yield
