"""Every row of a file is read as it stands, or the message says where the file is wrong."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from training.errors import InputError
from training.reading import RawFile, place_of, read_batches

COLUMNS = {"text": "text", "label": "label"}


def read(path: Path, columns: Mapping[str, str] = COLUMNS) -> list[dict[str, Any]]:
    batches = read_batches(RawFile(str(path), 3, "data", columns))
    return [row for batch in batches for row in batch.to_pylist()]


def rows(path: Path) -> list[tuple[str | None, str | None]]:
    return [(row["text"], row["label"]) for row in read(path)]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_all_kinds_of_file_say_the_same(tmp_path: Path) -> None:
    content = 'id,text,label\n1,"so, good",positive\n2,"two\nlines",negative\n'
    expected = [("so, good", "positive"), ("two\nlines", "negative")]
    assert rows(write(tmp_path / "a.csv", content)) == expected
    assert rows(write(tmp_path / "a.csv.gz", gzip.compress(content.encode()))) == expected
    lines = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in expected)
    assert rows(write(tmp_path / "a.jsonl", lines)) == expected
    assert rows(write(tmp_path / "a.jsonl.gz", gzip.compress(lines.encode()))) == expected
    pd.DataFrame(expected, columns=["text", "label"]).to_parquet(tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == expected


def test_words_that_look_like_null_are_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\nnull,neutral\nNA,neutral\nnan,neutral\n,neutral\n")
    assert [text for text, _ in rows(path)] == ["null", "NA", "nan", None]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_short_rows_and_empty_lines(tmp_path: Path, end: str) -> None:
    path = write(tmp_path / "a.csv", end.join(["\ufefftext,label", "one", "", '"two",""', ",neutral"]))
    assert rows(path) == [("one", None), ("two", None), (None, "neutral")]


def test_ratings_come_from_every_kind_of_file_as_words(tmp_path: Path) -> None:
    columns = {"text": "review", "rating": "stars"}
    lines = '{"review": "a", "stars": 5}\n\n{"review": "b", "stars": 4.5}\n{"review": "c"}\n'
    found = read(write(tmp_path / "a.jsonl", lines), columns)
    assert [(row["rating"], place_of(row["row_id"])) for row in found] == [
        ("5", (3, 1)),
        ("4.5", (3, 3)),
        (None, (3, 4)),
    ]
    table = pd.DataFrame({"review": ["a", "b", "c"], "stars": [5.0, 4.5, None]})
    table.to_parquet(tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet", columns)
    assert [row["rating"] for row in found] == ["5.0", "4.5", None]
    assert {row["label"] for row in found} == {None}


def test_half_a_character_in_json_is_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "so \\ud83d good", "label": "positive"}\n')
    assert rows(path) == [("so \ufffd good", "positive")]


def test_more_rows_than_one_batch_holds(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\n" + "".join(f"{n},neutral\n" for n in range(45_000)))
    found = read(path)
    assert [row["text"] for row in found] == [str(n) for n in range(45_000)]
    assert [place_of(row["row_id"])[1] for row in found] == list(range(2, 45_002))


def test_a_row_knows_its_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\n"two\nlines",neutral\nlast,neutral\n')
    assert [place_of(row["row_id"]) for row in read(path)] == [(3, 2), (3, 4)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"review,label\nx,y\n", "no column text; the columns there are 'review', 'label'.*--text"),
        ("a.csv", b"text,label, text\nx,y,z\n", "the column text stands there 2 times; rename one"),
        ("a.csv", b"text;label\nx;y\n", "columns must be separated by commas"),
        ("a.csv", b"text,label\na,b,c\n", "line 2 has 3 fields, the header 2"),
        ("a.csv", b"text,label\nfine,neutral\n\xe9t\xe9,neutral\n", "not UTF-8: byte 0xe9 .* line 3"),
        ("a.csv", "text,label\nx,y\n".encode("utf-16"), "iconv -f UTF-16"),
        ("a.csv", b'text,label\nx,y\n"open,y\n' + b"z,y\n" * 9, "row that begins in line 3 is not CSV"),
        ("a.csv.gz", b"not gzip", "not a complete gzip file"),
        ("a.csv.gz", gzip.compress(b"text,label\n" * 99, mtime=0)[:-9], "not a complete gzip file"),
        ("a.parquet", b"not parquet", "cannot be read as parquet"),
        ("a.jsonl", b"", "the file is empty"),
        ("a.jsonl", b'{"text": "x"}\n', "no column label; the columns there are 'text'"),
        (
            "a.jsonl",
            b'{"text": "x", "label": "y"}\n{"text": \n',
            "line 2 is not JSON: Expecting value at column 9$",
        ),
        ("a.jsonl", b"[1]\n", "line 1 is no JSON object"),
        ("a.jsonl", b'{"text": ["x"], "label": "y"}\n', r"the column text holds list, not text \(row 1\)"),
        ("a.xlsx", b"", r"the name must end in one of \.csv, \.csv\.gz, \.jsonl"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(write(tmp_path / name, content))


def test_a_parquet_column_of_numbers_is_no_text(tmp_path: Path) -> None:
    pd.DataFrame({"text": [1, 2], "label": ["neutral", "neutral"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="holds int, not text"):
        read(tmp_path / "a.parquet")
