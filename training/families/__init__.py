"""Model families behind one small interface.

A family is a folder with `__init__` (its parameters and `fit`), `graph` (its ONNX graph) and what else it
needs, such as `reader` (how it reads text). A new one needs such a folder, a line in `FAMILIES`, its section
in `params.yaml` and, to take part in `dvc repro`, its name in `dvc.yaml`; everything after `fit` (package,
evaluation, registry) is the same for all. Families are imported when they are used, as their libraries are
large.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from training.params import Section
from training.rows import Rows

FAMILIES = {
    "tfidf": "training.families.tfidf",
    "svm": "training.families.svm",
    "transformer": "training.families.transformer",
}


@dataclass(frozen=True)
class Graph:
    """A trained model as a graph: all that the package needs.

    Attributes:
        tokenizer: The content of `tokenizer.json`; it truncates at `max_tokens`.
        graph: The content of `model.onnx`: `input_ids`, `attention_mask` int64 [batch, tokens] to
            `probabilities` float32 [batch, labels].
        max_tokens: How many tokens of a text are read.
        chosen: The parameters that the search settled on.
    """

    tokenizer: bytes
    graph: bytes
    max_tokens: int
    chosen: dict[str, float]


@dataclass(frozen=True)
class Fitted(Graph):
    """A trained model, exported.

    Attributes:
        predict_proba: The same model in its training library, for comparison: normalised texts to
            probabilities [texts, labels].
        learning: How macro-F1 on validation grew: pairs of a step (rows learnt from, or epochs) and the
            macro-F1 there.
    """

    predict_proba: Callable[[Sequence[str]], NDArray[np.float64]]
    learning: Sequence[tuple[float, float]] = ()


class Family(Protocol):
    """What a family's module offers."""

    Params: type[Section]

    def fit(self, train: Rows, validation: Rows, labels: tuple[str, ...], params: Section) -> Fitted:
        """Train and export a model.

        Args:
            train: What to learn from.
            validation: What to choose parameters by, never to learn from.
            labels: What the columns of the probabilities mean, in this order.
            params: An instance of `Params`.
        """


def load(name: str) -> Family:
    """Import a family.

    Raises:
        KeyError: There is no family of this name.
    """
    return cast("Family", import_module(FAMILIES[name]))
