"""What is admitted, what is scored next and who is answered: the runner without threads and event loop.

Nothing here waits or has a clock of its own, so every promise can be tried on a simulated one. With `L`
lanes, and `C` the longest time that a batch takes:

- No lane is left idle while a text waits.
- The first text of a request starts within `ceil((A + 1) / L) * C`, where `A` counts the texts that were
  due before it when it joined: at most two of each request that waited then, whatever its size.
- Text `i` of a request starts within `ceil((i + 2) * R / L) * C`, where `R` is the most requests that wait
  at one time meanwhile.
- A batch that fails is scored again in halves, ahead of all others, and each half counts as one more text
  that was due before.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence

from bento.backlog import WINDOW_BATCHES, Backlog
from bento.capacity import Capacity
from bento.lateness import Lateness
from bento.scorer import Encoding
from bento.work import Batch, DeadlineError, QueueFullError, Request, Scored, Scores, ScoringError, Text

# Texts that come later go first where their lengths fit. Simulated at twice the capacity, 99 of 100 texts
# waited at most so many windows longer than all that waited before them took; in a short queue less.
_OVERTAKING_WINDOWS = 1.3
_OVERTAKING_SHARE = 0.5
_WORTH_SPLITTING_TOKENS = 128  # less than this is not spread over idle lanes
_LONG_SHARE = 0.5  # of the longest wait: shorter ones are those of the batch that runs, and say little


class Scheduler:
    """Admits requests, hands batches to lanes, and brings the scores back to the requests.

    Attributes:
        capacity: What was measured of the batches.
        max_queue_s: The predicted wait beyond which requests are refused.
    """

    def __init__(
        self, *, lanes: int, batch_tokens: int, max_queue_s: float, clock: Callable[[], float]
    ) -> None:
        """Make one with nothing to do.

        Args:
            lanes: How many batches are scored side by side.
            batch_tokens: How many padded tokens a batch may hold; a longer text goes alone.
            max_queue_s: The predicted wait beyond which requests are refused.
            clock: Tells the seconds since some moment in the past.
        """
        self.capacity = Capacity(lanes=lanes, batch_tokens=batch_tokens)
        self._lanes = lanes
        self._batch_tokens = batch_tokens
        self.max_queue_s = max_queue_s
        self._clock = clock
        self._lateness = Lateness()
        self._backlog = Backlog(batch_tokens)
        self._halves: deque[list[Text]] = deque()
        self._running: set[Batch] = set()

    @property
    def depth(self) -> int:
        """How many texts wait for a lane."""
        return self._backlog.texts + sum(not text.request.over for half in self._halves for text in half)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being scored."""
        return not self._running and not self.depth

    def refuse_if_full(self, tokens: int, deadline: float = math.inf, not_before_s: float = 0.0) -> None:
        """Refuse a request that would have to wait too long.

        Args:
            tokens: How many it has, about.
            deadline: See `admit`.
            not_before_s: How long it waits anyway before it can join.

        Raises:
            DeadlineError: See `admit`.
            QueueFullError: See `admit`.
        """
        self._require_room(tokens, self._clock(), deadline, not_before_s)

    def admit(
        self, encodings: Sequence[Encoding], end: Callable[[Request], None], deadline: float = math.inf
    ) -> Request:
        """Let a request join, all of it or nothing.

        Args:
            encodings: Its texts, at least one.
            end: See `Request`.
            deadline: By the clock; a text that no lane has taken until then is never scored.

        Raises:
            DeadlineError: It has passed.
            QueueFullError: The first text would start too late.
        """
        tokens = sum(map(len, encodings))
        now = self._clock()
        predicted_s = self._require_room(tokens, now, deadline)
        self.capacity.ask(tokens, now)
        request = Request(end, now, deadline, predicted_s)
        request.texts = [Text(encoding, request, index) for index, encoding in enumerate(encodings)]
        self._backlog.join(request.texts)
        return request

    def withdraw(self, request: Request) -> None:
        """Forget a request; those of its texts that no lane has taken are never scored."""
        request.over = True
        for text in request.texts:
            self._backlog.remove(text)
        request.texts = []  # they refer to it, and what refers in a circle waits for the garbage collector

    def expire(self, request: Request) -> None:
        """End a request whose deadline has passed, if nothing else has."""
        if not request.over:
            self._end(request, DeadlineError())

    def take(self) -> Batch | None:
        """Return what a free lane is to score, or None where no lane is free or nothing waits."""
        if len(self._running) == self._lanes:
            return None
        now = self._clock()
        texts: list[Text] = []
        while not texts and (self._halves or self._backlog.texts):
            chosen = (
                self._halves.popleft()
                if self._halves
                else self._backlog.take(self._budget(), self.capacity.cheap_padding_tokens)
            )
            for request in {text.request for text in chosen}:
                if not request.over and now >= request.deadline:
                    self._end(request, DeadlineError())
                elif not request.over and not request.begun:
                    request.begun = True
                    request.marks.append(now)
                    if request.predicted_s > _LONG_SHARE * self.max_queue_s:
                        self._lateness.learn(predicted_s=request.predicted_s, waited_s=now - request.joined)
            texts = [text for text in chosen if not text.request.over]
        if not texts:
            return None
        batch = Batch(texts, now)
        self._running.add(batch)
        return batch

    def finish(self, batch: Batch, scores: Scores, infer_s: float) -> None:
        """Answer with a batch's scores; its lane is free again.

        Args:
            batch: From `take`.
            scores: Its rows.
            infer_s: How long the model ran.
        """
        self._running.remove(batch)
        seconds = self._clock() - batch.taken
        for text, row in zip(batch.texts, scores, strict=True):
            request = text.request
            if not request.over:
                request.scored[text.index] = Scored(row, batch.taken, infer_s)
                if len(request.scored) == len(request.texts):
                    self._end(request, None)
        self.capacity.learn(
            texts=len(batch.texts), tokens=batch.tokens, padded_tokens=batch.padded_tokens, seconds=seconds
        )

    def fail(self, batch: Batch, error: BaseException) -> None:
        """Score a batch again in halves, until the text that the model fails on is alone and fails."""
        self._running.remove(batch)
        texts = [text for text in batch.texts if not text.request.over]
        if len(batch.texts) == 1 and texts:
            failure = ScoringError(texts[0].index)
            failure.__cause__ = error
            self._end(texts[0].request, failure)
            return
        middle = (len(texts) + 1) // 2
        self._halves += [half for half in (texts[:middle], texts[middle:]) if half]

    def predicted_wait_s(self) -> float:
        """Predict how long the first text of a request that joins now waits for a lane, at the most.

        It is what is left of the running batches, and the lesser of all that waits and of the batches that
        the texts due before it can lead, with what may overtake it.
        """
        free = self._lanes - len(self._running)
        if free and not self._backlog.texts and not self._halves:
            return 0.0
        now, curve, weigh = self._clock(), self.capacity.curve, self.capacity.weigh
        left_s = [
            max(0.0, batch.taken + curve.seconds(weigh(batch.tokens, batch.padded_tokens)) - now)
            for batch in self._running
        ]
        batches, tokens = self._backlog.batches, self._backlog.tokens
        for half in self._halves:
            batches, tokens = batches + 1, tokens + sum(map(len, half))
        everything_s = math.ceil(batches) * curve.a_s + tokens * self.capacity.padding * curve.b_s
        window_s = WINDOW_BATCHES * curve.seconds(self._batch_tokens)
        everything_s += min(_OVERTAKING_WINDOWS * window_s, _OVERTAKING_SHARE * everything_s)
        ahead = self._backlog.due_before_newcomer() + len(self._halves)
        ahead_s = min(everything_s, ahead * curve.seconds(self._batch_tokens))
        first_free_s = 0.0 if free else min(left_s)
        return max(first_free_s, (sum(left_s) + ahead_s) / self._lanes)

    def _require_room(self, tokens: int, now: float, deadline: float, not_before_s: float = 0.0) -> float:
        """Refuse as `refuse_if_full` says, or return the prediction, before it is stretched."""
        if now >= deadline:
            raise DeadlineError
        predicted_s = self.predicted_wait_s()
        wait_s = max(not_before_s, self._lateness.factor * predicted_s)
        if wait_s > min(self.max_queue_s, deadline - now):
            self.capacity.ask(tokens, now)
            raise QueueFullError(wait_s)
        return predicted_s

    def _budget(self) -> int:
        """Share what waits out between the lanes that are free."""
        share = math.ceil(self._backlog.tokens / (self._lanes - len(self._running)))
        return min(self._batch_tokens, max(share, _WORTH_SPLITTING_TOKENS))

    def _end(self, request: Request, error: Exception | None) -> None:
        request.error = error
        self.withdraw(request)
        request.end(request)
