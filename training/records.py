"""What the stages tell each other and their reader: JSON files with a checked shape."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from bento.package import MODEL_NAME as MODEL_NAME
from training.errors import TrainingError
from training.whole import new_file

ARTIFACTS = Path("artifacts")
EMBEDDINGS = ARTIFACTS / "embeddings"


class Record(BaseModel):
    """Base of all records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def write(self, path: Path) -> None:
        """Write the record so that the file holds all of it or the former content."""
        with new_file(path) as part:
            part.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a record.

        Raises:
            OSError: It is not there.
            TrainingError: It is not such a record.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise TrainingError(
                f"{path}: not what this version of the code writes; run `dvc repro --force` there"
            ) from error


class Source(Record):
    """What became of the rows of one input."""

    name: str
    read: int
    kept: int
    dropped: dict[str, int]


class DataReport(Record):
    """What the data is: where it came from, what was dropped and why, rows by part and label."""

    data: Source
    test: Source | None
    labels: tuple[str, ...]
    parts: dict[str, dict[str, int]]


class StageReport(Record):
    """What a data stage did, by origin (`data` and `test`): what was read is either kept or dropped.

    `counts` says more about what was kept: rows by file, by label, by flag, or by part and label.
    """

    stage: str
    read: dict[str, int]
    kept: dict[str, int]
    dropped: dict[str, dict[str, int]]
    counts: dict[str, dict[str, int]] = {}


class ClassScores(Record):
    """How well one label is found."""

    precision: float
    recall: float
    f1: float
    rows: int


class Evaluation(Record):
    """How well a model package does on one part; `confusion` has a row per label, a column per sentiment."""

    rows: int
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    classes: dict[str, ClassScores]
    confusion: list[list[int]]


class Result(Record):
    """One trained family: where it came from, how well it does, what it costs.

    `params` is the family's section of `params.yaml`, `chosen` what its search settled on.
    """

    family: str
    run_id: str
    digest: str
    data: str
    data_sha256: str
    git_commit: str | None
    params: dict[str, JsonValue]
    chosen: dict[str, float]
    train_rows: int
    train_seconds: float
    package_bytes: int
    evaluations: dict[str, Evaluation]


class Registration(Record):
    """The version of the registered model that the best family became."""

    name: str
    version: str
    family: str
    digest: str
    run_id: str


def flatten(evaluations: dict[str, Evaluation]) -> dict[str, float]:
    """Return all numbers of all parts under one name each, such as `validation_macro_f1`."""
    flat: dict[str, float] = {}
    for part, evaluation in evaluations.items():
        for name in ("accuracy", "macro_precision", "macro_recall", "macro_f1"):
            flat[f"{part}_{name}"] = getattr(evaluation, name)
        for label, scores in evaluation.classes.items():
            for name in ("precision", "recall", "f1"):
                flat[f"{part}_{label}_{name}"] = getattr(scores, name)
    return flat
