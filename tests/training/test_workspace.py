"""A data set of one's own has a place of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from training import workspace
from training.params import Columns, Data
from training.workspace import make_workspace

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the real pipeline files, so that workspaces appear below it and not here."""
    for name in ("params.yaml", "dvc.yaml", ".dvc/config"):
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(workspace, "PROJECT", tmp_path / "project")
    return tmp_path / "project"


def data(path: Path, test: Path | None = None, **columns: str | None) -> Data:
    return Data(
        path=str(path),
        test=str(test) if test else None,
        columns=Columns(**columns),
        validation_share=0.1,
        test_share=0.1,
    )


def write(path: Path, content: str = "text,label\n") -> Path:
    path.write_text(content)
    return path


def test_it_is_found_again_by_content(project: Path, tmp_path: Path) -> None:
    reviews = write(tmp_path / "reviews.csv")
    first = make_workspace(data(reviews))
    assert first.parent == project / ".valence" / "datasets"
    assert make_workspace(data(reviews)) == first
    write(reviews, "text,label\nchanged,neutral\n")
    assert make_workspace(data(reviews)) != first


def test_a_test_file_makes_it_another(project: Path, tmp_path: Path) -> None:
    reviews, test = write(tmp_path / "reviews.csv"), write(tmp_path / "test.csv")
    assert make_workspace(data(reviews, test)) != make_workspace(data(reviews))


def test_other_columns_make_it_another(project: Path, tmp_path: Path) -> None:
    reviews = write(tmp_path / "reviews.csv")
    directory = make_workspace(data(reviews, label=None, rating="stars"))
    assert directory != make_workspace(data(reviews))
    params = yaml.safe_load((directory / "params.yaml").read_text())
    assert params["data"]["columns"] == {"text": "text", "label": None, "rating": "stars"}


def test_names_are_safe_whatever_the_file_is_called(project: Path, tmp_path: Path) -> None:
    odd = write(tmp_path / "my ${reviews}; rm -rf é.csv")
    assert re.fullmatch(r"my-[A-Za-z0-9_-]+-[0-9a-f]{12}", make_workspace(data(odd)).name)


def test_it_holds_the_parameters_with_the_data_in_their_place(project: Path, tmp_path: Path) -> None:
    directory = make_workspace(data(write(tmp_path / "reviews.csv")))
    params = yaml.safe_load((directory / "params.yaml").read_text())
    original = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert params["data"]["path"] == str(tmp_path / "reviews.csv")
    assert params["project"] == str(project)
    assert params["train"] == original["train"]


def test_related_files_and_a_base_model_are_found_from_there(project: Path, tmp_path: Path) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["train"]["transformer"] |= {"pretrain": ["related.csv", "s3://bucket/more.csv"], "base": "model"}
    (project / "model").mkdir()
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    directory = make_workspace(data(write(tmp_path / "reviews.csv")))
    made = yaml.safe_load((directory / "params.yaml").read_text())
    recipe = made["train"]["transformer"]
    assert recipe["pretrain"] == [str(project / "related.csv"), "s3://bucket/more.csv"]
    assert recipe["base"] == str(project / "model")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the file is empty"),
        ("review,label\nx,positive\n", "no column text"),
        ("text,label\nx,great\n", "reviews.csv:2 'great'"),
        ("text,label\nx,positive\n", "all 1 rows are positive"),
        ("text,label\nx,positive\ny,negative\n", "at least 30 of each label are needed"),
    ],
)
def test_bad_data_is_one_line_and_exit_code_2(tmp_path: Path, content: str, reason: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "training", "--data", str(write(tmp_path / "reviews.csv", content))],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
