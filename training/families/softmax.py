"""Logistic regression in the form that a graph wants: one logit per label, then a softmax."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression


def softmax_form(
    model: LogisticRegression, labels: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights [features, labels] and bias [labels] whose softmax is the model's `predict_proba`.

    Args:
        model: Fitted, on two or three labels.
        labels: The order wanted; it may differ from the model's own.
    """
    weights, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # one logit, for the second class; the first one's is zero
        weights = np.vstack([np.zeros_like(weights), weights])
        bias = np.concatenate([[0.0], bias])
    order = [list(model.classes_).index(label) for label in labels]
    return weights[order].T, bias[order]
