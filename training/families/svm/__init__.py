"""A support vector machine with an RBF kernel on MiniLM sentence embeddings."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from training.errors import TrainingError
from training.families import ALONE, Beside, Fitted
from training.families.embeddings import Vectors
from training.families.embeddings.kept import Kept
from training.families.softmax import softmax_form
from training.families.svm.graph import build_graph
from training.families.svm.machine import Labelled, search
from training.params import OneOrMore, Section
from training.rows import Rows


class Machines(Section):
    """What every family of such machines is told, and how it balances the labels: not at all."""

    C: OneOrMore
    gamma: OneOrMore
    max_rows: PositiveInt | None
    class_weight: Literal["balanced"] | None = None

    def oversample(self, vectors: Vectors, labels: Sequence[str]) -> Labelled:  # noqa: ARG002 - others do
        """Return rows to learn from beside these; none."""
        return vectors[:0], []


class Params(Machines):
    """The section `train.svm` of `params.yaml`."""

    class_weight: Literal["balanced"] | None


def fit(
    train: Rows,
    validation: Rows,
    labels: tuple[str, ...],
    params: Machines,
    beside: Beside = ALONE,
) -> Fitted:
    """Train and export; see `training.families.Family`.

    Raises:
        TrainingError: There are no embeddings of the rows.
    """
    if beside.embeddings is None:
        raise TrainingError("nothing to learn from: the embeddings that `training.embed` makes are not given")
    kept = Kept.read(beside.embeddings)
    found = search(
        kept.of(train, params.max_rows),
        kept.of(validation),
        [{"C": c, "gamma": gamma} for gamma in params.gamma for c in params.C],
        class_weight=params.class_weight,
        oversample=params.oversample,
    )
    svc, reader = found.machine.svc, kept.reader
    graph = build_graph(
        reader.graph,
        support=found.machine.vectors[svc.support_],
        svc=svc,
        gamma=found.chosen["gamma"],
        head=softmax_form(found.head, labels),
    )

    def predict_proba(texts: Sequence[str]) -> NDArray[np.float64]:
        return found.predict_proba(reader.embed(texts), labels)

    return Fitted(reader.tokenizer, graph, reader.max_tokens, found.chosen, predict_proba, found.learning)
