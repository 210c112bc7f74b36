"""How good a model package is, measured through the scorer that serves it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.records import ClassScores, Evaluation


def evaluate(scores: NDArray[np.float32], labels: Sequence[str], truth: Sequence[str]) -> Evaluation:
    """Compare scores with what persons said.

    A model is asked only about the labels that the rows use: on rows without neutral ones, a model that knows
    three labels says negative or positive, whichever scores higher.

    Args:
        scores: Probabilities [rows, labels].
        labels: What the columns mean.
        truth: The label of each row, each one of `labels`.
    """
    used = [label for label in labels if label in set(truth)]
    columns = [list(labels).index(label) for label in used]
    said = [used[column] for column in scores[:, columns].argmax(axis=1)]
    confusion = np.zeros((len(used), len(used)), np.int64)
    np.add.at(confusion, ([used.index(label) for label in truth], [used.index(label) for label in said]), 1)
    # A label that was never said has no precision, which counts as zero; each occurs in truth.
    right, often, support = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    precision, recall, f1 = right / np.maximum(often, 1), right / support, 2 * right / (often + support)
    return Evaluation(
        rows=len(truth),
        accuracy=float(np.trace(confusion) / len(truth)),
        macro_precision=float(precision.mean()),
        macro_recall=float(recall.mean()),
        macro_f1=float(f1.mean()),
        classes={
            label: ClassScores(
                precision=float(precision[row]),
                recall=float(recall[row]),
                f1=float(f1[row]),
                rows=int(support[row]),
            )
            for row, label in enumerate(used)
        },
        confusion=confusion.tolist(),
    )
