"""What the stage `train` leaves: the trained model as a graph, and how it was come by."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from bento.package import GRAPH, TOKENIZER
from training.families import Fitted, Graph
from training.records import Record
from training.stages.folders import new_folder
from training.whole import new_file

LEARNING = Path("learning.csv")

_FITTED = Path("fitted")
_RECORD = "training.json"


class Training(Record):
    """How a model was trained; `params` is its family's section of `params.yaml`."""

    family: str
    params: dict[str, JsonValue]
    max_tokens: int
    chosen: dict[str, float]
    train_rows: int
    train_seconds: float
    git_commit: str | None


def save(folder: Path, fitted: Fitted, training: Training) -> None:
    """Write what was trained below a family's folder, whole or not at all."""
    with new_folder(folder / _FITTED) as part:
        (part / TOKENIZER).write_bytes(fitted.tokenizer)
        (part / GRAPH).write_bytes(fitted.graph)
        training.write(part / _RECORD)
    write_csv(folder / LEARNING, ("step", "macro_f1"), fitted.learning)


def load(folder: Path) -> tuple[Graph, Training]:
    """Read what `save` wrote.

    Raises:
        OSError: Nothing was trained there.
        TrainingError: It is of another version of this code.
    """
    part = folder / _FITTED
    training = Training.load(part / _RECORD)
    tokenizer, graph = ((part / name).read_bytes() for name in (TOKENIZER, GRAPH))
    return Graph(tokenizer, graph, training.max_tokens, training.chosen), training


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table so that the file holds all of it or the former content."""
    with new_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
