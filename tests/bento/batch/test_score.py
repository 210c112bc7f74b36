"""Every row of a file comes back, in order, with what the model says of its text."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from bento.batch.score import Report, score_file
from bento.batch.table import InputError
from bento.package import read_package
from bento.scorer import Scorer

ADDED = ["sentiment", "confidence", "certain", "score_negative", "score_neutral", "score_positive"]


@pytest.fixture(scope="module")
def scorer(package_dir: Path) -> Scorer:
    return Scorer(read_package(package_dir))


def score(content: bytes | str, tmp_path: Path, scorer: Scorer) -> tuple[Report, list[dict[str, str]]]:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    report = score_file(source, target, scorer, workers=2)
    with target.open(newline="", encoding="utf-8") as file:
        return report, list(csv.DictReader(file))


def test_adds_its_columns_behind_those_that_were_there(tmp_path: Path, scorer: Scorer) -> None:
    report, rows = score("id,text,note\n7,a good film,x\n8,an awful film,\n", tmp_path, scorer)
    assert report == Report(rows=2, unscored=0)
    assert list(rows[0]) == ["id", "text", "note", *ADDED]
    assert [(row["id"], row["sentiment"]) for row in rows] == [("7", "positive"), ("8", "negative")]
    assert rows[0]["confidence"] == rows[0]["score_positive"]
    assert [row["certain"] for row in rows] == ["false", "true"]


def test_values_come_through_to_the_letter(tmp_path: Path, scorer: Scorer) -> None:
    cells = ['quoted "good", with comma', "two\nlines", "null", "NA", " padded ", "naïve 😀", "00012"]
    source = tmp_path / "in.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "copy"], *([cell, cell] for cell in cells)])
    _, rows = score(source.read_bytes(), tmp_path, scorer)
    assert [row["text"] for row in rows] == cells
    assert [row["copy"] for row in rows] == cells


def test_order_holds_over_many_chunks_and_scores_are_those_of_the_scorer(
    tmp_path: Path, scorer: Scorer
) -> None:
    words = ["good", "bad", "table", "film film film", "awful fantastic"]
    texts = [f"{words[number % 5]} {'the ' * (number % 40)}{number}" for number in range(5000)]
    report, rows = score("text\n" + "\n".join(texts) + "\n", tmp_path, scorer)
    assert report.rows == 5000
    assert [row["text"] for row in rows] == texts
    scores = [[float(row[name]) for name in ADDED[3:]] for row in rows]
    np.testing.assert_allclose(scores, scorer.predict(texts), atol=1e-6)


def test_rows_without_text_are_kept_and_counted(tmp_path: Path, scorer: Scorer) -> None:
    report, rows = score('text,id\ngood,1\n,2\n"  ",3\n<br>,4\n', tmp_path, scorer)
    assert report == Report(rows=4, unscored=3)
    assert [row["id"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["sentiment"] for row in rows] == ["positive", "", "", ""]
    assert rows[1]["score_neutral"] == ""


def test_a_blank_line_of_the_only_column_is_a_row_without_text(tmp_path: Path, scorer: Scorer) -> None:
    report, rows = score("text\ngood\n\n  \nbad\n", tmp_path, scorer)
    assert report == Report(rows=4, unscored=2)
    assert [(row["text"], row["sentiment"]) for row in rows] == [
        ("good", "positive"),
        ("", ""),
        ("  ", ""),
        ("bad", "negative"),
    ]


def test_a_blank_line_among_wider_rows_is_none(tmp_path: Path, scorer: Scorer) -> None:
    report, rows = score("\ntext,id\n\ngood,1\n  \n,2\n\n", tmp_path, scorer)
    assert report == Report(rows=2, unscored=1)
    assert [row["id"] for row in rows] == ["1", "2"]


def test_white_space_around_a_column_name_does_not_hide_it(tmp_path: Path, scorer: Scorer) -> None:
    _, rows = score("id, text \n7,good\n", tmp_path, scorer)
    assert list(rows[0]) == ["id", " text ", *ADDED]
    assert rows[0]["sentiment"] == "positive"


def test_reads_and_writes_gzip_and_a_byte_order_mark(tmp_path: Path, scorer: Scorer) -> None:
    source, target = tmp_path / "in.csv.gz", tmp_path / "out.csv.gz"
    source.write_bytes(gzip.compress("\ufefftext\ngood\n".encode()))
    score_file(source, target, scorer, workers=1)
    assert gzip.decompress(target.read_bytes()).decode().splitlines()[1].startswith("good,positive,")


def test_tells_how_far_it_is(tmp_path: Path, scorer: Scorer) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\n" + "good\n" * 3000)
    calls: list[tuple[int, int]] = []
    score_file(
        source,
        tmp_path / "out.csv",
        scorer,
        workers=1,
        on_progress=lambda read, rows: calls.append((read, rows)),
    )
    assert calls == sorted(calls)
    assert calls[-1] == (source.stat().st_size, 3000)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"review\ngood\n", "no column 'text'; its columns are review"),
        (b"text,text\na,b\n", "column 'text' stands there twice"),
        (b"text, text\na,b\n", "column 'text' stands there twice"),
        (b"\n\n", "the file is empty"),
        (b"text,sentiment\na,b\n", "already has sentiment"),
        (b"text,sentiment \na,b\n", "already has sentiment"),
        (b"text,id\ngood,1\nbad,2,3\n", "line 3 has 3 cells where the header has 2"),
        (b"text\ngood\n\xe9t\xe9\n", "not UTF-8 near line .* convert it"),
        (b'text\n"never closed\n', "not readable as CSV near line"),
    ],
)
def test_a_file_that_cannot_be_scored_is_refused_and_nothing_written(
    tmp_path: Path, scorer: Scorer, content: bytes, reason: str
) -> None:
    (tmp_path / "out.csv").write_text("what was there")
    source = tmp_path / "in.csv"
    source.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        score_file(source, tmp_path / "out.csv", scorer, workers=1)
    assert (tmp_path / "out.csv").read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_a_cut_off_gzip_file_is_refused(tmp_path: Path, scorer: Scorer) -> None:
    source = tmp_path / "in.csv.gz"
    source.write_bytes(gzip.compress(b"text\n" + b"good film\n" * 999)[:-10])
    with pytest.raises(InputError, match="not readable as CSV"):
        score_file(source, tmp_path / "out.csv", scorer, workers=1)


def test_a_corrupt_gzip_file_is_refused(tmp_path: Path, scorer: Scorer) -> None:
    content = bytearray(gzip.compress(b"text\n" + b"good film\n" * 999))
    content[10] = 0xFF  # the first byte behind the header: a kind of block that there is not
    source = tmp_path / "in.csv.gz"
    source.write_bytes(content)
    with pytest.raises(InputError, match="not readable as CSV"):
        score_file(source, tmp_path / "out.csv", scorer, workers=1)


@pytest.mark.parametrize("name", ["nowhere/out.csv", "in.csv/out.csv", "nowhere/out.csv.gz"])
def test_a_target_that_cannot_be_written_is_named(tmp_path: Path, scorer: Scorer, name: str) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\ngood\n")
    with pytest.raises(InputError, match=f"^{tmp_path / name}: cannot be written"):
        score_file(source, tmp_path / name, scorer, workers=1)


def test_a_folder_as_target_is_refused(tmp_path: Path, scorer: Scorer) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\ngood\n")
    with pytest.raises(InputError, match="is a folder; name a file in it"):
        score_file(source, tmp_path, scorer, workers=1)


def test_the_input_is_never_overwritten(tmp_path: Path, scorer: Scorer) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\ngood\n")
    with pytest.raises(InputError, match="would overwrite"):
        score_file(source, source, scorer, workers=1)
    assert source.read_text() == "text\ngood\n"
