"""A support vector machine with an RBF kernel on MiniLM sentence embeddings."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bento.package import MAX_TOKENS
from training.families import ALONE, Beside, Fitted
from training.families.softmax import softmax_form
from training.families.svm.graph import Classifier
from training.families.svm.machine import FOLDS, Oversample, none, search
from training.families.svm.reader import embed, load_encoder
from training.families.torch_graph import export_graph
from training.params import OneOrMore, Section
from training.rows import Rows


class Common(Section):
    """What every family of such machines is told."""

    C: OneOrMore
    gamma: OneOrMore
    max_tokens: int = Field(ge=3, le=MAX_TOKENS)
    max_rows: int = Field(ge=1)


class Params(Common):
    """The section `train.svm` of `params.yaml`."""

    class_weight: Literal["balanced"] | None


def fit(
    train: Rows,
    validation: Rows,
    labels: tuple[str, ...],
    params: Params,
    beside: Beside = ALONE,  # noqa: ARG001 - it takes a minute
) -> Fitted:
    """Train and export; see `training.families.Family`."""
    return fit_machine(train, validation, labels, params, class_weight=params.class_weight)


def fit_machine(
    train: Rows,
    validation: Rows,
    labels: tuple[str, ...],
    params: Common,
    *,
    class_weight: Literal["balanced"] | None,
    oversample: Oversample = none,
) -> Fitted:
    """Train and export a machine; see `training.families.Family` and `machine.search`."""
    encoder, tokenizer = load_encoder(params.max_tokens)
    train = _limit(train, params.max_rows)
    candidates = [{"C": c, "gamma": gamma} for gamma in params.gamma for c in params.C]
    found = search(
        (embed(encoder, tokenizer, train.texts), train.labels),
        (embed(encoder, tokenizer, validation.texts), validation.labels),
        candidates,
        class_weight=class_weight,
        oversample=oversample,
    )
    svc = found.machine.svc
    classifier = Classifier(
        encoder,
        support=found.machine.vectors[svc.support_],
        svc=svc,
        gamma=found.chosen["gamma"],
        head=softmax_form(found.head, labels),
    )

    def predict_proba(texts: Sequence[str]) -> NDArray[np.float64]:
        return found.predict_proba(embed(encoder, tokenizer, texts), labels)

    return Fitted(
        tokenizer.to_str().encode(),
        export_graph(classifier),
        params.max_tokens,
        found.chosen,
        predict_proba,
        found.learning,
    )


def _limit(rows: Rows, most: int) -> Rows:
    """Keep a sample of more rows than a kernel machine learns from in reasonable time and memory.

    Of each label an even sample by its share, but of a rare one at least as many as calibrating needs.
    """
    if len(rows) <= most:
        return rows
    print(f"  learns from {most} of {len(rows)} rows (max_rows), evenly picked", flush=True)
    picked: list[int] = []
    for label, count in rows.count().items():
        places = [place for place, found in enumerate(rows.labels) if found == label]
        wanted = min(count, max(5 * FOLDS, round(most * count / len(rows))))
        picked += [places[place] for place in np.linspace(0, count - 1, wanted).astype(int)]
    picked.sort()
    return Rows([rows.texts[row] for row in picked], [rows.labels[row] for row in picked])
