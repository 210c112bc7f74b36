"""The texts that wait: who is due next, and who goes with them.

Requests take turns. A request that joins in round `r` has its first text due in round `r + 1`, its second
in `r + 2`, and so on; within a round, who came first is first. A batch is led by the text that is due
next, and filled with texts of similar length among the oldest that wait: where any might go along, those of
common lengths overtook the others, until some waited twice as long as most. So whoever comes later stays
behind the first text of whoever came before, and a request of many texts is one among others in each round.
"""

import heapq
from collections import Counter

from bento.work import Text

WINDOW_BATCHES = 6  # among the oldest texts of so many batches, lengths are similar enough

_PADDING_RATIO = 1 / 32  # of a batch, at most


class Backlog:
    """Waiting texts by length, each length in the order in which they are due.

    Attributes:
        texts: How many wait.
        tokens: How many tokens they have together.
        batches: How many full batches they come to, at the least.
    """

    def __init__(self, batch_tokens: int) -> None:
        self.texts = 0
        self.tokens = 0
        self.batches = 0.0
        self._batch_tokens = batch_tokens
        self._by_length: dict[int, list[tuple[tuple[int, int], Text]]] = {}
        self._in_round: Counter[int] = Counter()
        self._round = 0
        self._joined = 0

    def join(self, request: list[Text]) -> None:
        """Let the texts of a request wait."""
        for text in request:
            self._joined += 1
            text.waits = True
            text.due = (self._round + 1 + text.index, self._joined)
            heapq.heappush(self._by_length.setdefault(len(text), []), (text.due, text))
            self._count(text, 1)

    def remove(self, text: Text) -> None:
        """Forget a text; nothing happens where it does not wait any more."""
        if text.waits:
            text.waits = False
            self._count(text, -1)

    def due_before_newcomer(self) -> int:
        """Return how many texts are due before the first text of a request that joins now."""
        return self._in_round[self._round] + self._in_round[self._round + 1]

    def take(self, budget: int, cheap_padding_tokens: float) -> list[Text]:
        """Take the text that is due next and the most similar ones.

        Args:
            budget: How many padded tokens they may come to; the text that is due goes even where it is
                longer, then alone.
            cheap_padding_tokens: How many of these may be padding, or a 32nd of them where that is more.
        """
        lengths = self._waiting_lengths()
        if not lengths:
            return []
        leading = min(lengths, key=lambda length: self._by_length[length][0][0])
        self._round = self._by_length[leading][0][0][0]
        batch: list[Text] = []
        longest = tokens = 0
        horizon = self._horizon()
        for length in sorted(lengths, key=lambda length: (abs(length - leading), length)):
            high = max(longest, length)
            while not batch or _fits((len(batch) + 1) * high, tokens + length, budget, cheap_padding_tokens):
                popped = self._pop(length, horizon if batch else self._joined)
                if popped is None:
                    break
                batch.append(popped)
                longest, tokens = high, tokens + length
        return batch

    def _waiting_lengths(self) -> list[int]:
        """Return the lengths of which a text waits, and throw away what left."""
        for length in list(self._by_length):
            heap = self._by_length[length]
            while heap and not heap[0][1].waits:
                heapq.heappop(heap)
            if not heap:
                del self._by_length[length]
        return list(self._by_length)

    def _horizon(self) -> float:
        """Return the number of the youngest text that may go along.

        At least as many texts as a window holds are that old, since no more can have come after it. Age is
        counted by arrival, not by turn, so the many texts of an old request may go along with anybody.
        """
        window = WINDOW_BATCHES * self._batch_tokens * self.texts / max(1, self.tokens)
        return self._joined - max(0.0, self.texts - window)

    def _pop(self, length: int, horizon: float) -> Text | None:
        heap = self._by_length[length]
        while heap and (not heap[0][1].waits or heap[0][0][1] <= horizon):
            text = heapq.heappop(heap)[1]
            if text.waits:
                self.remove(text)
                return text
        return None

    def _count(self, text: Text, sign: int) -> None:
        self.texts += sign
        self.tokens += sign * len(text)
        self.batches += sign * min(1.0, len(text) / self._batch_tokens)
        if not self.texts:
            self.batches = 0.0  # without what rounding left
        self._in_round[text.due[0]] += sign
        if not self._in_round[text.due[0]]:
            del self._in_round[text.due[0]]


def _fits(padded_tokens: int, tokens: int, budget: int, cheap_padding_tokens: float) -> bool:
    padding = padded_tokens - tokens
    return padded_tokens <= budget and padding <= max(cheap_padding_tokens, _PADDING_RATIO * padded_tokens)
