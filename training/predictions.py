"""The test predictions: one row for each test text, as a CSV file that people can open."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bento.scorer import Scorer
from training.bootstrap import Estimate, macro_f1_change
from training.errors import TrainingError
from training.fitted import write_csv
from training.scoring import score_texts

PREDICTIONS = Path("predictions.csv")

_FIXED = ("text", "source", "label", "sentiment", "confidence", "certain")


@dataclass(frozen=True)
class Predictions:
    """What a model says of texts whose labels are known.

    Attributes:
        texts: Normalised.
        sources: Where each comes from.
        truth: The label of each.
        labels: Those the model knows: the columns of the scores.
        scores: Probabilities [texts, labels], to six digits, as the server answers.
        certain: Of each.
    """

    texts: list[str]
    sources: list[str]
    truth: list[str]
    labels: tuple[str, ...]
    scores: NDArray[np.float32]
    certain: list[bool]

    def right(self) -> NDArray[np.bool_]:
        """Say which sentiments are the label."""
        said = np.array(self.labels)[self.scores.argmax(axis=1)]
        return np.asarray(said == np.array(self.truth))

    def used(self) -> list[str]:
        """Return the labels that the model knows and the texts have, in the model's order."""
        return [label for label in self.labels if label in set(self.truth)]

    def said(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Return what is said of each text by its place among these labels, asked about them alone.

        One that the model does not know is never said.
        """
        columns = [self.labels.index(label) if label in self.labels else None for label in labels]
        never = np.full(len(self.texts), -1.0, np.float32)
        scores = [never if column is None else self.scores[:, column] for column in columns]
        return np.asarray(np.stack(scores, axis=1).argmax(axis=1), np.int64)

    def macro_f1_change(self, before: "Predictions") -> Estimate:
        """Return the change in macro-F1 from other predictions of the same texts to these, over `used`."""
        labels = self.used()
        truth = np.array([labels.index(label) for label in self.truth])
        return macro_f1_change(truth, before.said(labels), self.said(labels))

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        best = self.scores.argmax(axis=1)
        rows = [
            (
                *(self.texts[row], self.sources[row], self.truth[row], self.labels[best[row]]),
                f"{self.scores[row, best[row]]:.6f}",
                str(self.certain[row]).lower(),
                *(f"{score:.6f}" for score in self.scores[row]),
            )
            for row in range(len(self.texts))
        ]
        write_csv(path, (*_FIXED, *(f"score_{label}" for label in self.labels)), rows)

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """Read what `write` wrote.

        Raises:
            OSError: It is not there.
            TrainingError: It is not such a file.
        """
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns = tuple(reader.fieldnames or ())
            rows = list(reader)
        if columns[: len(_FIXED)] != _FIXED or not rows:
            raise TrainingError(f"{path}: not a file of test predictions; run `dvc repro --force` there")
        scores = columns[len(_FIXED) :]
        return cls(
            [row["text"] for row in rows],
            [row["source"] for row in rows],
            [row["label"] for row in rows],
            tuple(name.removeprefix("score_") for name in scores),
            np.array([[float(row[name]) for name in scores] for row in rows], np.float32),
            [row["certain"] == "true" for row in rows],
        )


def predict(
    scorer: Scorer, texts: Sequence[str], sources: Sequence[str], truth: Sequence[str]
) -> Predictions:
    """Score test texts with a package, as it serves them."""
    scores = score_texts(scorer, texts, "test texts")
    return of_scores(scores, scorer.labels, scorer.certain_from, texts=texts, sources=sources, truth=truth)


def of_scores(
    scores: NDArray[np.float32],
    labels: tuple[str, ...],
    certain_from: float | None,
    *,
    texts: Sequence[str],
    sources: Sequence[str],
    truth: Sequence[str],
) -> Predictions:
    """Return what scores that a package gave these texts come to.

    Args:
        scores: Probabilities [texts, labels].
        labels: What the columns mean.
        certain_from: The confidence from which a prediction is certain; None: none is.
        texts: See `Predictions`, as the rest.
        sources: Where each comes from.
        truth: The label of each.
    """
    rounded = np.round(scores.astype(np.float64), 6)
    certain = rounded.max(axis=1) >= (math.inf if certain_from is None else certain_from)
    return Predictions(
        list(texts), list(sources), list(truth), labels, rounded.astype(np.float32), certain.tolist()
    )
