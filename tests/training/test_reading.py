"""Every row of a file is read as it stands, or the message says where the file is wrong."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from training.errors import InputError
from training.reading import read


def rows(path: Path) -> list[tuple[str | None, str | None]]:
    return [(row.text, row.label) for row in read(path)]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_the_three_kinds_of_file_say_the_same(tmp_path: Path) -> None:
    content = 'id,text,label\n1,"so, good",positive\n2,"two\nlines",negative\n'
    expected = [("so, good", "positive"), ("two\nlines", "negative")]
    assert rows(write(tmp_path / "a.csv", content)) == expected
    assert rows(write(tmp_path / "a.csv.gz", gzip.compress(content.encode()))) == expected
    pd.DataFrame(expected, columns=["text", "label"]).to_parquet(tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == expected


def test_words_that_look_like_null_are_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\nnull,neutral\nNA,neutral\nnan,neutral\n,neutral\n")
    assert [text for text, _ in rows(path)] == ["null", "NA", "nan", None]


def test_a_folder_is_read_file_by_file_in_order(tmp_path: Path) -> None:
    write(tmp_path / "b.csv", "text,label\nsecond,neutral\n")
    write(tmp_path / "a.csv", "text,label\nfirst,neutral\n")
    write(tmp_path / "notes.txt", "not read")
    assert [text for text, _ in rows(tmp_path)] == ["first", "second"]


def test_a_row_knows_its_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\n"two\nlines",neutral\nlast,neutral\n')
    assert [(row.file, row.place) for row in read(path)] == [("a.csv", 2), ("a.csv", 4)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"review,label\nx,y\n", "no column text; the columns there are 'review', 'label'"),
        ("a.csv", b"text;label\nx;y\n", "columns must be separated by commas"),
        ("a.csv", b"text,label\na,b,c\n", "line 2 has 3 fields, the header 2"),
        ("a.csv", b"text,label\nfine,neutral\n\xe9t\xe9,neutral\n", "not UTF-8: byte 0xe9 .* line 3"),
        ("a.csv", "text,label\nx,y\n".encode("utf-16"), "iconv -f UTF-16"),
        ("a.csv", b'text,label\nx,y\n"open,y\n' + b"z,y\n" * 9, "row that begins in line 3 is not CSV"),
        ("a.csv.gz", b"not gzip", "not a complete gzip file"),
        ("a.csv.gz", gzip.compress(b"text,label\n" * 99, mtime=0)[:-9], "not a complete gzip file"),
        ("a.parquet", b"not parquet", "cannot be read as parquet"),
        ("a.xlsx", b"", r"the name must end in one of \.csv, \.csv\.gz, \.parquet"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(write(tmp_path / name, content))


def test_a_missing_file_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such file"):
        read(tmp_path / "nowhere")
    with pytest.raises(InputError, match="a folder without any"):
        read(tmp_path)


def test_a_parquet_column_of_numbers_is_no_text(tmp_path: Path) -> None:
    pd.DataFrame({"text": [1, 2], "label": ["neutral", "neutral"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="holds int, not text"):
        read(tmp_path / "a.parquet")
