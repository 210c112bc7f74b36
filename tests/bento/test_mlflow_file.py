"""A file that is not MLflow's database is named, with what to do."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bento.mlflow_file import MLflowFile
from bento.package import MODEL_NAME
from bento.versions import RegistryError


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "notes.db"
    other.write_text("these are notes, and long enough to be read as a header of a database " * 9)
    with pytest.raises(RegistryError, match=r"notes\.db: cannot be read as MLflow's database .*make train"):
        MLflowFile(other).versions(MODEL_NAME)


def test_another_database_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "shop.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    registry = MLflowFile(other)
    with pytest.raises(RegistryError, match="no such table: model_versions"):
        registry.versions(MODEL_NAME)
    with pytest.raises(RegistryError, match="no such table: registered_model_aliases"):
        registry.aliased(MODEL_NAME, "production")


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="'make train' makes one"):
        MLflowFile(tmp_path / "none.db").version(MODEL_NAME, "1")
