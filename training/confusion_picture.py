"""A picture of what a model takes for what."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from training.records import Evaluation
from training.whole import new_file


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
    with new_file(path) as file:
        figure.savefig(file, dpi=120, format="png")
