"""Model families behind one small interface.

A family is a module with `Params` and `fit`, in a folder with what else it needs, such as `graph` (its ONNX
graph) and `reader` (how it reads text). A new one needs such a module, a line in `FAMILIES`, its section in
`params.yaml` and, to take part in `dvc repro`, its name in `dvc.yaml`; everything after `fit` (package,
evaluation, registry) is the same for all. Families are imported when they are used, as their libraries are
large.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from training.params import Section
from training.rows import Rows

FAMILIES = {
    "tfidf_logreg": "training.families.tfidf_logreg",
    "svm": "training.families.svm",
    "svm_smote": "training.families.svm.smote",
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


@dataclass(frozen=True)
class Beside:
    """What a family may use beside the rows.

    Attributes:
        unfinished: A folder for what a family that takes long has so far, so that an interrupted run goes on
            from there; None: nothing is kept.
        held_out: Keys (`bento.text.row_key`) of the texts that nothing may be learnt from, wherever they
            stand.
        embeddings: The folder that the stage `embed` left, for families that learn from embeddings.
    """

    unfinished: Path | None = None
    held_out: frozenset[str] = frozenset()
    embeddings: Path | None = None


ALONE = Beside()


class Family(Protocol):
    """What a family's module offers."""

    Params: type[Section]

    def fit(
        self,
        train: Rows,
        validation: Rows,
        labels: tuple[str, ...],
        params: Section,
        beside: Beside = ALONE,
    ) -> Fitted:
        """Train and export a model.

        Args:
            train: What to learn from.
            validation: What to choose parameters by, never to learn from.
            labels: What the columns of the probabilities mean, in this order.
            params: An instance of `Params`.
            beside: What else it may use.
        """


def load(name: str) -> Family:
    """Import a family.

    Raises:
        KeyError: There is no family of this name.
    """
    return cast("Family", import_module(FAMILIES[name]))
