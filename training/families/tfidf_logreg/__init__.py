"""TF-IDF of words and word pairs with a logistic regression: small, fast, and the line to beat."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from bento.package import MAX_TOKENS
from training.families import ALONE, Beside, Fitted
from training.families.search import best_by_macro_f1, learning_curve
from training.families.softmax import softmax_form
from training.families.tfidf_logreg.graph import build_graph
from training.families.tfidf_logreg.reader import features, train_tokenizer
from training.params import OneOrMore, Section
from training.rows import Rows


class Params(Section):
    """The section `train.tfidf_logreg` of `params.yaml`."""

    C: OneOrMore
    min_df: int = Field(ge=1)
    class_weight: Literal["balanced"] | None
    max_tokens: int = Field(ge=2, le=MAX_TOKENS)


def fit(
    train: Rows,
    validation: Rows,
    labels: tuple[str, ...],
    params: Params,
    beside: Beside = ALONE,  # noqa: ARG001 - it takes seconds
) -> Fitted:
    """Train and export; see `training.families.Family`."""
    tokenizer = train_tokenizer(train.texts, min_count=params.min_df, max_tokens=params.max_tokens)
    vocabulary = tokenizer.get_vocab_size()
    vectoriser = TfidfVectorizer(
        analyzer=partial(features, vocabulary=vocabulary),
        min_df=params.min_df,
        sublinear_tf=True,
        norm="l2",
    )

    def encode(texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]

    train_matrix = vectoriser.fit_transform(encode(train.texts))
    validation_matrix = vectoriser.transform(encode(validation.texts))

    def learn(c: float, rows: slice) -> LogisticRegression:
        # On sparse rows this solver is a hundred times quicker than the default one.
        return LogisticRegression(
            C=c, solver="saga", class_weight=params.class_weight, max_iter=1000, random_state=0
        ).fit(train_matrix[rows], train.labels[rows])

    def try_one(candidate: dict[str, float]) -> tuple[LogisticRegression, Sequence[str]]:
        model = learn(candidate["C"], slice(None))
        return model, model.predict(validation_matrix)

    candidates = [{"C": value} for value in params.C]
    chosen, model, macro_f1 = best_by_macro_f1(candidates, try_one, validation.labels)
    learning = learning_curve(
        len(train),
        train.labels,
        lambda some: learn(chosen["C"], some).predict(validation_matrix),
        validation.labels,
    )
    weights, bias = softmax_form(model, labels)
    graph = build_graph(
        vectoriser.vocabulary_, vocabulary=vocabulary, idf=vectoriser.idf_, weights=weights, bias=bias
    )

    def predict_proba(texts: Sequence[str]) -> NDArray[np.float64]:
        scores = model.predict_proba(vectoriser.transform(encode(texts)))
        return np.asarray(scores[:, [list(model.classes_).index(label) for label in labels]])

    return Fitted(
        tokenizer.to_str().encode(),
        graph,
        params.max_tokens,
        chosen,
        predict_proba,
        [*learning, (len(train), macro_f1)],
    )
