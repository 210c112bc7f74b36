"""What scoring costs here and how much of it is left, measured on the batches that are scored anyway."""

from collections import deque
from statistics import median

_KEPT = 15  # newest batches of a size class; an outlier among them does not move their median
_FADE = 64  # batches after which a size class that is not seen any more counts half
_SHORTEST_S = 1e-6  # of a batch, whatever the clock says
_LEAST_SPREAD = 1e-9  # below it the classes are one, and the line goes through the origin
_FITTED_AT_ONCE = 64  # batches, from then on the line is fitted again after every eighth
_FIT_EVERY = 8
_SMOOTHING = 0.05  # weight of the newest batch in what texts look like
_WINDOW_S = 10


class CostCurve:
    """Seconds of a batch as `a + b * tokens`, with `a` and `b` never negative.

    Its padding is among the tokens, for what it costs: see `Capacity.weigh`.

    Batches are kept by size class (powers of two), so that a long time of small batches does not forget
    what large ones cost. The medians of the classes are fitted by least squares of the relative error, and
    the line is scaled so that the median of the newest batches, whatever their size, lies on it.
    """

    def __init__(self) -> None:
        self._classes: dict[int, deque[tuple[int, float]]] = {}
        self._seen: dict[int, int] = {}
        self._newest: deque[tuple[int, float]] = deque(maxlen=2 * _KEPT + 1)
        self._batches = 0
        self.a_s = 0.0
        self.b_s = 0.0

    def seconds(self, tokens: float) -> float:
        """Predict a batch; 0 as long as none was seen."""
        return self.a_s + self.b_s * tokens

    def learn(self, tokens: int, seconds: float) -> None:
        """Take a batch into account."""
        batch = max(1, tokens), max(_SHORTEST_S, seconds)
        size = batch[0].bit_length()
        self._batches += 1
        self._seen[size] = self._batches
        self._classes.setdefault(size, deque(maxlen=_KEPT)).append(batch)
        self._newest.append(batch)
        if self._batches <= _FITTED_AT_ONCE or self._batches % _FIT_EVERY == 0:
            self._refit()

    def _refit(self) -> None:
        a_s, b_s = self._fit()
        scale = median(seconds / (a_s + b_s * tokens) for tokens, seconds in self._newest)
        self.a_s, self.b_s = scale * a_s, scale * b_s

    def _fit(self) -> tuple[float, float]:
        weights = tokens = tokens_squared = costs = products = 0.0
        for size, batches in self._classes.items():
            x = median(batch[0] for batch in batches)
            y = median(batch[1] for batch in batches)
            weight = 1 / (1 + (self._batches - self._seen[size]) / _FADE) / y**2
            weights += weight
            tokens += weight * x
            tokens_squared += weight * x * x
            costs += weight * y
            products += weight * x * y
        spread = weights * tokens_squared - tokens**2
        if spread > _LEAST_SPREAD * weights * tokens_squared:
            slope_s = (weights * products - tokens * costs) / spread
            if slope_s < 0:
                return costs / weights, 0.0
            if costs > slope_s * tokens:
                return (costs - slope_s * tokens) / weights, slope_s
        return 0.0, products / tokens_squared


class Capacity:
    """How much the lanes can score, and how much is asked of them.

    Attributes:
        curve: What a batch costs a lane, from when it is taken to when the lane is free again.
        padding_cost: What a token of padding costs, as a share of what a token of text costs.
        padding: What a token costs with the padding beside it, in tokens.
        text_tokens: Tokens per text; 0 as long as none was seen.
    """

    def __init__(self, *, lanes: int, batch_tokens: int) -> None:
        self.curve = CostCurve()
        self.padding_cost = 1.0
        self.padding = 1.0
        self._lanes = lanes
        self._batch_tokens = batch_tokens
        self.text_tokens = 0.0
        self._asked: deque[tuple[int, int]] = deque()

    def learn(self, *, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """Take a scored batch into account."""
        weighed = self.weigh(tokens, padded_tokens)
        self.curve.learn(round(weighed), seconds)
        weight = _SMOOTHING if self.text_tokens else 1.0
        self.padding += weight * (weighed / max(1, tokens) - self.padding)
        self.text_tokens += weight * (tokens / texts - self.text_tokens)

    def weigh(self, tokens: int, padded_tokens: int) -> float:
        """Return how many tokens without padding would cost as much as a batch."""
        return tokens + self.padding_cost * (padded_tokens - tokens)

    @property
    def cheap_padding_tokens(self) -> float:
        """Tokens of padding that cost half of what a batch costs before its first token.

        More in a batch than that, and it is cheaper to score some of its texts in a batch of their own.
        """
        padding_s = self.curve.b_s * self.padding_cost
        return self.curve.a_s / padding_s / 2 if padding_s else self._batch_tokens

    def ask(self, tokens: int, now: float) -> None:
        """Count what was asked for, whether it is admitted or refused."""
        second = int(now)
        if self._asked and self._asked[-1][0] == second:
            tokens += self._asked.pop()[1]
        self._asked.append((second, tokens))
        self._forget(second)

    def take_over_demand(self, previous: "Capacity") -> None:
        """Count what was asked of another as asked of this one, and of nobody else."""
        self._asked = previous._asked.copy()

    def forget_demand(self) -> None:
        """Count nothing of what was asked so far."""
        self._asked.clear()

    def used_ratio(self, now: float) -> float:
        """Return the tokens asked for in the last 10 s over what the lanes score in 10 s of full batches.

        It is linear in the load, unlike the time in which lanes are busy (small batches keep them busy
        long before they are full), and above 1 where texts have to be refused.
        """
        self._forget(int(now))
        window_s = _WINDOW_S - 1 + now % 1  # the seconds before, and what there is of this one
        return sum(tokens for _, tokens in self._asked) * self._token_s() / window_s

    def headroom(self, now: float) -> float:
        """Return how many more texts a second could be scored, if they are as long as those of late."""
        if not self._token_s():
            return 0.0
        left = max(0.0, 1 - self.used_ratio(now))
        return left / self._token_s() / max(1.0, self.text_tokens)

    def _token_s(self) -> float:
        """Return what a token costs the server in full batches."""
        return self.curve.seconds(self._batch_tokens) * self.padding / self._batch_tokens / self._lanes

    def _forget(self, second: int) -> None:
        while self._asked and self._asked[0][0] <= second - _WINDOW_S:
            self._asked.popleft()
