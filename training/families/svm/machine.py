"""Support vector machines with an RBF kernel, on vectors of unit length.

The kernel comes by matrix product, once for all machines: 15 times quicker than inside libsvm. Where rows are
added to those there are, only what is new of it is computed.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from queue import SimpleQueue
from typing import Literal

import numpy as np
from joblib import cpu_count  # type: ignore[import-untyped]
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from training.families.embeddings import Vectors
from training.families.search import best_by_macro_f1, learning_curve
from training.progress import progress

_FOLDS = 3  # that probabilities are learnt on: what they miss, the temperature mends
_AT_ONCE = 2  # machines that are fitted side by side: each needs a kernel of its own
_BLOCK = 256  # rows

_Kernel = NDArray[np.float32]
_Room = NDArray[np.float64]  # where a kernel goes in the form that libsvm wants
_Rows = NDArray[np.int64]
Labelled = tuple[Vectors, Sequence[str]]

# Labelled vectors to more of them, to be learnt from as well.
Oversample = Callable[[Vectors, Sequence[str]], Labelled]


@dataclass(frozen=True)
class Machine:
    """A fitted machine.

    Attributes:
        svc: Fitted on a kernel.
        vectors: What the columns of that kernel stand for [vectors, numbers]: training rows, then made-up.
        rows: The numbers of these training rows.
        gamma: Of the kernel.
    """

    svc: SVC
    vectors: Vectors
    rows: _Rows
    gamma: float

    def columns(self, kernel: _Kernel, vectors: Vectors) -> _Kernel:
        """Return the kernel of some texts with the machine's vectors, from that with its training rows."""
        made = self.vectors[len(self.rows) :]
        return np.concatenate([kernel, rbf(vectors, made, self.gamma)], axis=1) if len(made) else kernel


@dataclass(frozen=True)
class Found:
    """What came of a search: the best machine, its parameters, and what makes probabilities of what it says.

    Attributes:
        machine: The best.
        chosen: Its `C` and `gamma`.
        head: Reads its decision values.
        learning: Numbers of rows and the macro-F1 on validation after learning from so many.
    """

    machine: Machine
    chosen: dict[str, float]
    head: LogisticRegression
    learning: list[tuple[float, float]]

    def predict_proba(self, vectors: Vectors, labels: Sequence[str]) -> NDArray[np.float64]:
        """Return probabilities [texts, labels]."""
        kernel = rbf(vectors, self.machine.vectors, self.chosen["gamma"])
        scores = self.head.predict_proba(_decisions(self.machine.svc.decision_function(kernel)))
        return np.asarray(scores[:, [list(self.head.classes_).index(label) for label in labels]])


def search(
    train: Labelled,
    validation: Labelled,
    candidates: Sequence[dict[str, float]],
    *,
    class_weight: Literal["balanced"] | None,
    oversample: Oversample,
) -> Found:
    """Take the best of several machines, and learn probabilities from what it says.

    Args:
        train: What is learnt from.
        validation: What the best is chosen by.
        candidates: Values of `C` and `gamma`.
        class_weight: As scikit-learn has it.
        oversample: Adds rows to those that a machine is fitted on, and to no others: each fold is told from
            rows made of the other folds alone.
    """
    vectors, labels = train
    names = np.array(labels)
    everything = np.arange(len(labels))
    # One for all machines: memory that is new costs seconds, as there are gigabytes of it.
    room = np.empty(len(labels) ** 2)

    @lru_cache(maxsize=1)
    def kernels(gamma: float) -> tuple[_Kernel, _Kernel]:
        return rbf(vectors, vectors, gamma), rbf(validation[0], vectors, gamma)

    def learn(candidate: Mapping[str, float], rows: _Rows, room: _Room = room) -> Machine:
        gamma = candidate["gamma"]
        extra, extra_names = oversample(vectors[rows], names[rows].tolist())
        both = np.concatenate([vectors[rows], extra])
        kernel = _fill(room, kernels(gamma)[0], rows, len(both))
        if len(extra):
            corner = rbf(extra, both, gamma)
            kernel[len(rows) :], kernel[:, len(rows) :] = corner, corner.T
        # Probabilities come from the head below, as scikit-learn's own are deprecated.
        svc = SVC(
            C=candidate["C"],
            kernel="precomputed",
            class_weight=class_weight,
            decision_function_shape="ovo",
            shrinking=False,  # which saves computing kernels, but they are computed
        )
        return Machine(svc.fit(kernel, [*names[rows], *extra_names]), both, rows, gamma)

    def says(machine: Machine) -> Sequence[str]:
        kernel = _cut(kernels(machine.gamma)[1], np.arange(len(validation[1])), machine.rows)
        said: Sequence[str] = machine.svc.predict(machine.columns(kernel, validation[0]))
        return said

    def try_one(candidate: dict[str, float]) -> tuple[Machine, Sequence[str]]:
        machine = learn(candidate, everything)
        return machine, says(machine)

    chosen, machine, macro_f1 = best_by_macro_f1(candidates, try_one, validation[1])
    head = _fit_head(train, kernels(chosen["gamma"])[0], lambda rows, room: learn(chosen, rows, room), room)
    learning = learning_curve(
        len(labels), labels, lambda some: says(learn(chosen, everything[some])), validation[1]
    )
    return Found(machine, chosen, head, [*learning, (len(labels), macro_f1)])


def rbf(a: Vectors, b: Vectors, gamma: float) -> _Kernel:
    """Return exp(-gamma * squared distance) of all pairs of unit vectors.

    In single precision, as the graph that is served computes it, in half of the time and memory.
    """
    kernel = a @ b.T
    kernel -= 1.0
    kernel *= 2.0 * gamma
    np.exp(kernel, out=kernel)
    return kernel


def _fit_head(
    train: Labelled, kernel: _Kernel, learn: Callable[[_Rows, _Room], Machine], room: _Room
) -> LogisticRegression:
    """Learn probabilities from the decision values that each part gets from a machine that never saw it.

    Labels count as often as they occur, whatever weights the machine had, else these were no probabilities.
    """
    vectors, labels = train
    folds = list(StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(vectors, labels))

    rooms = SimpleQueue[_Room]()
    for part in np.array_split(room, _AT_ONCE):
        rooms.put(part)

    def decide(fold: tuple[_Rows, _Rows]) -> NDArray[np.float64]:
        rows, others = fold
        free = rooms.get()
        try:
            machine = learn(rows, free)
        finally:
            rooms.put(free)
        columns = machine.columns(_cut(kernel, others, rows), vectors[others])
        return _decisions(machine.svc.decision_function(columns))

    decisions = []
    with (
        progress(f"calibrating on {_FOLDS} folds", _FOLDS) as advance,
        ThreadPoolExecutor(min(_AT_ONCE, cpu_count())) as pool,
    ):
        for decided in pool.map(decide, folds):
            decisions.append(decided)
            advance(1)
    names = np.array(labels)[np.concatenate([others for _, others in folds])]
    return LogisticRegression(max_iter=1000).fit(np.concatenate(decisions), names)


def _fill(room: _Room, kernel: _Kernel, rows: _Rows, size: int) -> NDArray[np.float64]:
    """Return a matrix [size, size] that begins with the kernel of these rows, in the room where it fits."""
    square = (room if size**2 <= len(room) else np.empty(size**2))[: size**2].reshape(size, size)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        square[start : start + len(block), : len(rows)] = kernel[block].take(rows, 1)
    return square


def _cut(kernel: _Kernel, rows: _Rows, columns: _Rows) -> _Kernel:
    return kernel if kernel.shape == (len(rows), len(columns)) else kernel.take(rows, 0).take(columns, 1)


def _decisions(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.reshape(len(values), -1)  # scikit-learn drops the axis when there is one pair of classes
