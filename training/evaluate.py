"""How good a model package is, measured through the scorer that serves it."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from training.records import ClassScores, Evaluation

matplotlib.use("Agg")


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
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, said, labels=used, zero_division=0.0
    )
    confusion = np.zeros((len(used), len(used)), np.int64)
    np.add.at(confusion, ([used.index(label) for label in truth], [used.index(label) for label in said]), 1)
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


def draw_confusion(evaluations: dict[str, Evaluation], title: str, path: Path) -> None:
    """Write a picture of the confusion matrices, one per part, shaded by the share of each row."""
    figure = Figure(figsize=(4.5 * len(evaluations), 4.5), layout="constrained")
    figure.suptitle(title)
    for axes, (part, evaluation) in zip(
        figure.subplots(1, len(evaluations), squeeze=False)[0], evaluations.items(), strict=True
    ):
        counts = np.array(evaluation.confusion)
        names = list(evaluation.classes)
        axes.imshow(counts / counts.sum(axis=1, keepdims=True), vmin=0, vmax=1, cmap="Blues")
        axes.set(
            title=f"{part}: macro-F1 {evaluation.macro_f1:.3f}",
            xlabel="sentiment (the model)",
            ylabel="label (the data)",
            xticks=range(len(names)),
            yticks=range(len(names)),
            xticklabels=names,
            yticklabels=names,
        )
        for row, column in np.ndindex(*counts.shape):
            share = counts[row, column] / counts[row].sum()
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.part")
    figure.savefig(written, dpi=120, format="png")
    written.replace(path)
