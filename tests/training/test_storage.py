"""Raw files are found where a person said they are."""

from pathlib import Path

import pytest

from training.errors import InputError
from training.storage import absolute, data_name, files_at

ENDINGS = (".csv", ".parquet")


def test_a_folder_is_its_files_in_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.parquet", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.csv").mkdir()
    assert files_at(str(tmp_path), ENDINGS) == [f"{tmp_path}/a.parquet", f"{tmp_path}/b.csv"]
    assert files_at(str(tmp_path / "b.csv"), ENDINGS) == [f"{tmp_path}/b.csv"]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such file"):
        files_at(str(tmp_path / "nowhere"), ENDINGS)
    with pytest.raises(InputError, match=r"a folder without any \.csv, \.parquet file"):
        files_at(str(tmp_path), ENDINGS)


@pytest.mark.parametrize(
    ("location", "name"),
    [("a/reviews.csv.gz", "reviews"), ("corpus", "corpus"), ("s3://bucket/in/2024.parquet", "2024")],
)
def test_a_data_set_is_called_by_its_file(location: str, name: str) -> None:
    assert data_name(location) == name


def test_an_address_means_the_same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("a.csv") == str(tmp_path / "a.csv")
    assert absolute("s3://bucket/a.csv") == "s3://bucket/a.csv"
