"""From files to clean parts and a report."""

import csv
from pathlib import Path

import pytest

from training.errors import InputError
from training.params import Data
from training.prepare import name_of, prepare


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def labelled(count: int, prefix: str = "") -> list[tuple[str, str]]:
    return [(f"{prefix} text {number}", ("negative", "positive")[number % 2]) for number in range(count)]


def settings(path: Path, test: Path | None = None) -> Data:
    return Data(path=path, test=test, validation_share=0.1, test_share=0.1)


def test_a_part_is_held_out_for_testing(tmp_path: Path) -> None:
    parts, report = prepare(settings(write(tmp_path / "reviews.csv", labelled(400))))
    assert sum(map(len, parts.values())) == 400
    assert set(parts) == {"train", "validation", "test"}
    assert report.data.name == "reviews"
    assert report.labels == ("negative", "positive")
    assert report.train_sha256 == parts["train"].sha256()


def test_a_test_file_is_the_test_part_and_never_learnt_from(tmp_path: Path) -> None:
    shared = labelled(10, "shared")
    data = write(tmp_path / "train.csv", labelled(400) + shared)
    test = write(tmp_path / "test.csv", shared)
    parts, report = prepare(settings(data, test))
    assert sorted(parts["test"].texts) == sorted(text for text, _ in shared)
    learnt = set(parts["train"].texts) | set(parts["validation"].texts)
    assert not learnt & set(parts["test"].texts)
    assert report.data.dropped == {"also in the test data": 10}


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "train.csv", labelled(400))
    with pytest.raises(InputError, match="name two different files"):
        prepare(settings(data, data))


def test_a_test_label_that_was_never_learnt_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "train.csv", labelled(400))
    test = write(tmp_path / "test.csv", [*labelled(4, "other"), ("so so", "neutral")])
    with pytest.raises(InputError, match="has rows labelled neutral"):
        prepare(settings(data, test))


@pytest.mark.parametrize(("path", "name"), [("a/reviews.csv.gz", "reviews"), ("corpus", "corpus")])
def test_a_data_set_is_called_by_its_file(path: str, name: str) -> None:
    assert name_of(Path(path)) == name
