"""What the runner works on: requests, their texts, batches of texts, and how each can end."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bento.scorer import Encoding

Scores = NDArray[np.float32]


class QueueFullError(Exception):
    """The predicted wait is over the budget, or over what the caller's deadline leaves.

    Attributes:
        retry_after_s: When it is worth trying again.
    """

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"the predicted wait is {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class DrainingError(Exception):
    """Nothing is taken any more."""


class DeadlineError(Exception):
    """The caller's deadline passed before the answer was there."""


class ScoringError(Exception):
    """The model failed on a text; `__cause__` says how.

    Attributes:
        index: The text's place in its request.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"the model failed on text {index}")
        self.index = index


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one text, in the order of the model's labels, when a lane took it, and for how long."""

    scores: Scores
    taken: float
    infer_s: float


@dataclass(eq=False, slots=True)
class Request:
    """Texts that are admitted together and answered together.

    Attributes:
        end: Called once with the request, when it is answered or has failed; not when it is withdrawn.
        joined: When it was admitted.
        deadline: When its answer is of no use any more.
        predicted_s: How long its first text would wait, as predicted when it joined, before it was stretched.
        texts: What it asks, until it is over.
        scored: The answers by index, complete at the end if there is no error.
        error: Why there is no answer.
        begun: A lane has taken one of its texts.
        marks: Gets the time at which one first did.
        over: It was answered, failed or withdrawn.
    """

    end: Callable[["Request"], None]
    joined: float
    deadline: float
    predicted_s: float
    texts: list["Text"] = field(default_factory=list)
    scored: dict[int, Scored] = field(default_factory=dict)
    error: Exception | None = None
    begun: bool = False
    marks: list[float] = field(default_factory=list)
    over: bool = False

    def answer(self) -> list[Scored]:
        """Return the scores, in the order of the texts, or raise the error, of a request that has ended."""
        if self.error is not None:
            raise self.error
        return [self.scored[index] for index in range(len(self.scored))]


@dataclass(eq=False, slots=True)
class Text:
    """One text of a request.

    Attributes:
        encoding: What the model reads.
        request: Where it belongs.
        index: Its place there.
        due: Its place in the queue: its round, and its place within the round.
        waits: It is in the queue.
    """

    encoding: Encoding
    request: Request
    index: int
    due: tuple[int, int] = (0, 0)
    waits: bool = False

    def __len__(self) -> int:
        return len(self.encoding)


@dataclass(eq=False, slots=True)
class Batch:
    """Texts for one run of the model, and when a lane took them.

    Attributes:
        tokens: How many were asked for.
        padded_tokens: How many it costs.
    """

    texts: list[Text]
    taken: float
    tokens: int = field(init=False)
    padded_tokens: int = field(init=False)

    def __post_init__(self) -> None:
        lengths = [len(text) for text in self.texts]
        self.tokens = sum(lengths)
        self.padded_tokens = len(lengths) * max(lengths)

    @property
    def encodings(self) -> list[Encoding]:
        """What the model reads."""
        return [text.encoding for text in self.texts]
