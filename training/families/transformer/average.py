"""A moving average of the weights: it wanders less than they do, and says what is right more often.

Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

Weights = dict[str, torch.Tensor]


class Average:
    """The exponential moving average of a model's weights over about the last `steps`.

    Attributes:
        weights: By name.
    """

    def __init__(self, model: torch.nn.Module, steps: float) -> None:
        self._model = model
        self._decay = 1 - 1 / max(1.0, steps)
        self._seen = 0
        self.weights: Weights = {name: part.detach().clone() for name, part in model.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        self._seen += 1
        # The first ones, from before anything was learnt, are soon forgotten.
        decay = min(self._decay, self._seen / (self._seen + 9))
        for name, part in self._model.named_parameters():
            self.weights[name].lerp_(part, 1 - decay)

    def restore(self, weights: Weights, seen: int) -> None:
        """Go on from what an interrupted run had after so many updates."""
        self._seen = seen
        put(self.weights, weights)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model have the averaged weights for a while."""
        own = dict(self._model.named_parameters())
        before = {name: part.detach().clone() for name, part in own.items()}
        put(own, self.weights)
        try:
            yield
        finally:
            put(own, before)


@torch.no_grad()
def put(weights: dict[str, torch.Tensor] | dict[str, torch.nn.Parameter], values: Weights) -> None:
    """Copy values into weights of the same names."""
    for name, part in weights.items():
        part.copy_(values[name])
