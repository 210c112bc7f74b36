"""A support vector machine with an RBF kernel on MiniLM sentence embeddings."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.svm import SVC

from bento.package import MAX_TOKENS
from training.families import Fitted
from training.families.search import best_by_macro_f1, learning_curve
from training.families.softmax import softmax_form
from training.families.svm.graph import Classifier
from training.families.svm.reader import embed, load_encoder
from training.families.torch_graph import export_graph
from training.params import OneOrMore, Section
from training.progress import progress
from training.rows import Rows

_FOLDS = 5


class Params(Section):
    """The section `train.svm` of `params.yaml`."""

    C: OneOrMore
    gamma: OneOrMore
    class_weight: Literal["balanced"] | None
    max_tokens: int = Field(ge=3, le=MAX_TOKENS)
    max_rows: int = Field(ge=1)


def fit(train: Rows, validation: Rows, labels: tuple[str, ...], params: Params) -> Fitted:
    """Train and export; see `training.families.Family`."""
    encoder, tokenizer = load_encoder(params.max_tokens)
    train = _limit(train, params.max_rows)
    train_vectors = embed(encoder, tokenizer, train.texts)
    validation_vectors = embed(encoder, tokenizer, validation.texts)

    @lru_cache(maxsize=1)
    def kernels(gamma: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return _rbf(train_vectors, train_vectors, gamma), _rbf(validation_vectors, train_vectors, gamma)

    def machine(c: float) -> SVC:
        # The kernel comes by matrix product, once for all machines: 15 times quicker than inside libsvm.
        # Probabilities come from the head below, as scikit-learn's own are deprecated.
        return SVC(C=c, kernel="precomputed", class_weight=params.class_weight, decision_function_shape="ovo")

    def try_one(candidate: Mapping[str, float]) -> tuple[SVC, Sequence[str]]:
        kernel, validation_kernel = kernels(candidate["gamma"])
        svc = machine(candidate["C"]).fit(kernel, train.labels)
        return svc, svc.predict(validation_kernel)

    candidates = [{"C": c, "gamma": gamma} for gamma in params.gamma for c in params.C]
    chosen, svc, macro_f1 = best_by_macro_f1(candidates, try_one, validation.labels)
    gamma = chosen["gamma"]
    kernel, validation_kernel = kernels(gamma)
    head = _fit_head(machine(chosen["C"]), kernel, train.labels)
    learning = learning_curve(
        len(train),
        train.labels,
        lambda some: (
            machine(chosen["C"])
            .fit(kernel[some, some], train.labels[some])
            .predict(validation_kernel[:, some])
        ),
        validation.labels,
    )

    def predict_proba(texts: Sequence[str]) -> NDArray[np.float64]:
        kernel = _rbf(embed(encoder, tokenizer, texts), train_vectors, gamma)
        scores = head.predict_proba(_decisions(svc.decision_function(kernel)))
        return np.asarray(scores[:, [list(head.classes_).index(label) for label in labels]])

    classifier = Classifier(
        encoder, support=train_vectors[svc.support_], svc=svc, gamma=gamma, head=softmax_form(head, labels)
    )
    graph = export_graph(classifier)
    return Fitted(
        tokenizer.to_str().encode(),
        graph,
        params.max_tokens,
        chosen,
        predict_proba,
        [*learning, (len(train), macro_f1)],
    )


def _rbf(a: NDArray[np.float32], b: NDArray[np.float32], gamma: float) -> NDArray[np.float64]:
    """Return exp(-gamma * squared distance) of all pairs of unit vectors, computed in place."""
    kernel = a.astype(np.float64) @ b.astype(np.float64).T
    kernel -= 1.0
    kernel *= 2.0 * gamma
    return np.asarray(np.exp(kernel, out=kernel))


def _fit_head(svc: SVC, kernel: NDArray[np.float64], labels: Sequence[str]) -> LogisticRegression:
    """Learn probabilities from the decision values that each fifth gets from a machine that never saw it.

    Labels count as often as they occur, whatever weights the machine had, else these were no probabilities.
    """
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    with progress(f"calibrating on {_FOLDS} folds", 1) as advance:
        decisions = cross_val_predict(svc, kernel, labels, cv=folds, method="decision_function")
        advance(1)
    return LogisticRegression(max_iter=1000).fit(_decisions(decisions), labels)


def _decisions(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.reshape(len(values), -1)  # scikit-learn drops the axis when there is one pair of classes


def _limit(rows: Rows, most: int) -> Rows:
    """Keep a sample of more rows than a kernel machine learns from in reasonable time and memory.

    Of each label an even sample by its share, but of a rare one at least as many as calibrating needs.
    """
    if len(rows) <= most:
        return rows
    print(f"  svm: learns from {most} of {len(rows)} rows (train.svm.max_rows), evenly picked", flush=True)
    picked: list[int] = []
    for label, count in rows.count().items():
        places = [place for place, found in enumerate(rows.labels) if found == label]
        wanted = min(count, max(5 * _FOLDS, round(most * count / len(rows))))
        picked += [places[place] for place in np.linspace(0, count - 1, wanted).astype(int)]
    picked.sort()
    return Rows([rows.texts[row] for row in picked], [rows.labels[row] for row in picked])
