"""The same SQL files give the same rows on DuckDB and on Spark."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from training.errors import InputError
from training.params import Data
from training.prepare import prepare
from training.records import StageReport
from training.stages import folders

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(
        find_spec("pyspark") is None or shutil.which("java") is None,
        reason="Spark is not installed: it needs pip install 'valence[spark]' and Java 17 or newer",
    ),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
]

ODD = [
    "caf\u00e9",
    "cafe\u0301 ",
    '"\u0130stanbul, STRASSE stra\u00dfe"',
    "NaN",
    "null",
    '"so ""good"""',
    '"two\nlines"',
    "back\\slash \\n",
    "<br> &amp; www.example.org @me",
    "\U0001f600" * 12,
    "gooooooooooooood",
    "10/10 !!",
    "ok",
    "",
    " ",
    "\u3068\u3066\u3082\u826f\u304b\u3063\u305f",
]
RATINGS = ("1", "2.0", "3", " 4", "5", "", "Kettle", "NaN")


def write(path: Path, count: int) -> Path:
    lines = ["text,label,stars"]
    for number in range(count):
        said = number // 2  # each text twice, some with another label the second time
        label = "neg" if number % 15 == 1 else ("negative", "Positive", "neu", "pos ")[said % 4]
        lines.append(f"review number {said},{label},{RATINGS[number % len(RATINGS)]}")
    lines += [f"{text},{label},5" for text in ODD for label in ("negative", "positive", "positive")]
    path.write_text("\n".join(lines) + "\n")
    return path


def options(path: Path, engine: str, **more: object) -> Data:
    return Data.model_validate(
        {
            "path": str(path),
            "engine": engine,
            "columns": {"rating": "stars"},
            "clean": {"null_words": ["null"], "conflicts": "majority", "exempt_chars": 3},
            "validate": {"violations": "quarantine"},
            "flag": {"exclude": ["mostly_non_letters", "label_against_rating"]},
            "balance": {"max_ratio": 1.5},
            "validation_share": 0.1,
            "test_share": 0.1,
        }
        | more
    )


Prepared = dict[str, tuple[list[StageReport], Path]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("engines")
    raw = folder / "raw"
    raw.mkdir()
    for name, count in (("one", 3000), ("two", 900)):
        write(raw / f"{name} & more.csv", count)
    test = write(folder / "test.csv", 40)
    found = {}
    for engine in ("duckdb", "spark"):
        reports, _ = prepare(options(raw, engine, test=str(test)), folder / engine)
        found[engine] = (reports, folder / engine)
    return found


def test_the_reports_are_equal(prepared: Prepared) -> None:
    assert prepared["spark"][0] == prepared["duckdb"][0]
    assert sum(prepared["spark"][0][-1].dropped["data"].values()) > 0


@pytest.mark.parametrize(
    "folder",
    [folders.INGESTED, folders.CLEANED, folders.VALIDATED, folders.QUARANTINE, folders.FLAGGED],
    ids=str,
)
def test_every_folder_holds_the_same_rows(prepared: Prepared, folder: Path) -> None:
    one, other = (pq.read_table(root / folder) for _, root in prepared.values())
    assert one.schema.names == other.schema.names
    assert one.schema.types == other.schema.types
    order = [(name, "ascending") for name in ("row_id", "label")]
    assert one.sort_by(order).to_pylist() == other.sort_by(order).to_pylist()
    assert one.num_rows > 0


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_the_parts_are_the_same_in_the_same_order(prepared: Prepared, part: str) -> None:
    one, other = (pq.read_table(root / folders.PARTS / f"{part}.parquet") for _, root in prepared.values())
    assert one.to_pylist() == other.to_pylist()


def test_bad_input_is_the_same_message(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label,stars\na,b,c,d\n")
    messages = set()
    for engine in ("duckdb", "spark"):
        with pytest.raises(InputError) as caught:
            prepare(options(path, engine), tmp_path / engine)
        messages.add(str(caught.value))
    assert len(messages) == 1, messages
    assert "line 2 has 4 fields, the header 3" in messages.pop()
