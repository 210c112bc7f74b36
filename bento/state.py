"""What the handlers of one process share."""

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.types import Scope

from bento.books import Books
from bento.exchange import Exchange
from bento.logs import log_event, log_rest
from bento.metrics import Metrics
from bento.model import LoadedModel, load_model
from bento.problems import ProblemError
from bento.rundir import ModelRef, RunDirectory
from bento.settings import Settings


@dataclass
class AppState:
    """The settings, the counters and, while the server is ready, the model that answers.

    Its model can be changed: `stage` one beside the one that serves, then `switch` to it or `discard` it.

    Attributes:
        books: What is written down of each request.
        refused: Its model must not be served, so it will never be ready.
        draining: It still answers, but nobody should begin to ask it.
        run: Where the workers agree on a model; None where it cannot be changed.
        workers: How many have to agree.
    """

    settings: Settings
    metrics: Metrics
    serving: LoadedModel | None = None
    build: str = "source"
    draining: bool = False
    refused: bool = False
    started: float = field(default_factory=time.monotonic)
    run: RunDirectory | None = None
    workers: int = 1
    books: Books = field(init=False)
    _staged: LoadedModel | None = None
    _retiring: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.books = Books(self.metrics)

    @classmethod
    def of(cls, scope: Scope) -> "AppState":
        """Return the server that this ASGI scope's request reached."""
        state: AppState = scope["app"].state.valence
        return state

    def tell(self) -> None:
        """Write the metrics, for whichever worker is asked for them, and what of the log has waited."""
        if self.serving is not None:
            self.serving.set_gauges()
        self.metrics.flush()
        log_rest(time.monotonic())

    def begin(self, serving: LoadedModel) -> None:
        """Serve the first model."""
        serving.take_over(None)
        self.serving = serving
        log_event("ready", model=serving.model.model_dump(), lanes=serving.lanes)

    async def stage(self, choice: ModelRef) -> None:
        """Load a model beside the one that serves, and warm it up.

        Raises:
            PackageError: It must not be served; nothing is staged.
        """
        self._staged = await load_model(choice, self.settings, self.metrics)
        log_event("staged", model=self._staged.model.model_dump())

    def switch(self) -> None:
        """Serve what is staged; what the old model took it finishes."""
        staged, previous = self._staged, self.serving
        if staged is None or previous is None:
            raise RuntimeError("a switch needs a staged model and one that serves")
        self.serving, self._staged = staged, None
        retiring = asyncio.ensure_future(_let_go(previous))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)
        staged.take_over(previous)  # last: what metrics tell must not decide which model answers
        log_event("switched", model=staged.model.model_dump(), previous=previous.model.model_dump())

    async def discard(self) -> None:
        """Let go of what is staged, if anything is."""
        staged, self._staged = self._staged, None
        if staged is not None:
            await _let_go(staged)
            log_event("discarded", model=staged.model.model_dump())

    async def close(self) -> None:
        """Take nothing more, finish what was taken."""
        serving, self.serving = self.serving, None
        if serving is not None:
            await serving.close()
        await asyncio.gather(*self._retiring)
        log_event("drained")


async def _let_go(serving: LoadedModel) -> None:
    """Close a model, and free what loading it left in cycles: as much as its files.

    Quick, since the collector does not look at what was there when the server became ready.
    """
    await serving.close()
    gc.collect()


def ready(state: AppState, exchange: Exchange) -> LoadedModel:
    """Return the model that answers, and note in the exchange that it does.

    Raises:
        ProblemError: 503, the server is starting or going.
    """
    if state.serving is None:
        raise unavailable()
    exchange.model = state.serving.model
    exchange.model_version = state.serving.version
    return state.serving


def note_texts(state: AppState, exchange: Exchange, texts: Sequence[str]) -> None:
    """Note what a request asks; the texts themselves only where they are to be logged."""
    exchange.texts = len(texts)
    state.metrics.observe("valence_request_texts", len(texts))
    if state.settings.log_texts:
        exchange.content = texts


def unavailable() -> ProblemError:
    """Return the error of a server that is starting or going."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the server is starting or shutting down; try again",
        headers={"retry-after": "1"},
        reason="not_ready",
    )
