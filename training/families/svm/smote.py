"""The same machine where labels are balanced by made-up rows, instead of by weights.

SMOTE (Chawla and others, 2002) puts new rows between a row of a rare label and its nearest neighbours of that
label. Here they are embeddings, made of the very rows that a machine is fitted on: validation, test and the
fold that probabilities are learnt on hold real rows alone.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from imblearn.over_sampling import SMOTE
from pydantic import PositiveInt

from training.families.embeddings import Vectors
from training.families.svm import Machines
from training.families.svm import fit as fit
from training.families.svm.machine import Labelled


class Params(Machines):
    """The section `train.svm_smote` of `params.yaml`."""

    neighbours: PositiveInt

    def oversample(self, vectors: Vectors, labels: Sequence[str]) -> Labelled:
        """Return rows that make all labels equally frequent."""
        return synthesise(vectors, labels, self.neighbours)


def synthesise(vectors: Vectors, labels: Sequence[str], neighbours: int) -> Labelled:
    """Return the rows that make all labels as frequent as the most frequent one.

    Args:
        vectors: Of unit length [rows, numbers]; so are the new ones, as the kernel asks of every vector.
        labels: Theirs.
        neighbours: Among how many nearest rows of the same label the other end is drawn; of a label with so
            few rows among all of them. A label with a single row has no neighbour and stays as it is.
    """
    counts = Counter(labels)
    most = max(counts.values())
    wanted = {label: most for label, count in counts.items() if 1 < count < most}
    if not wanted:
        return vectors[:0], []
    nearest = min(neighbours, *(counts[label] - 1 for label in wanted))
    sampler = SMOTE(sampling_strategy=wanted, k_neighbors=nearest, random_state=0)
    made, names = sampler.fit_resample(vectors, np.array(labels))
    new = np.asarray(made[len(vectors) :], np.float32)
    return new / np.linalg.norm(new, axis=1, keepdims=True), names[len(vectors) :].tolist()
