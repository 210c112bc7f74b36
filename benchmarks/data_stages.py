"""How long the data stages take, and in how much memory: DuckDB, Spark and the same work in pandas.

    python benchmarks/data_stages.py make 2000000 /tmp/rows.csv
    python benchmarks/data_stages.py run duckdb /tmp/rows.csv /tmp/duckdb
    python benchmarks/data_stages.py run pandas /tmp/rows.csv /tmp/pandas
    python benchmarks/data_stages.py compare /tmp/duckdb /tmp/pandas

`run` prints one JSON line: seconds, and the peak of resident memory of the process (with Spark: of the
driver's Python alone, the rest is in the JVM and its workers). `compare` fails unless both wrote the same
parts, row for row.
"""

import argparse
import csv
import json
import random
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PARTS = ("train", "validation", "test")
_OPENINGS = ("", "honestly ", "I think ", "well, ", "Update: ", "my sister says ", "so... ", "in short, ")
_ENDINGS = ("", ".", "!", " :)", "...")
_ODD = (
    " <br>",
    " &amp; more",
    " \U0001f600",
    " sooooooooooo",
    " caf\u00e9",
    "  ",
    " @someone",
    " www.example.org",
)


def make(rows: int, path: Path) -> None:
    """Write rows made of the embedded corpus: variations, repetitions, contradictions, empty cells."""
    chance = random.Random(0)
    corpus = []
    for file in sorted((ROOT / "training" / "corpus").glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as content:
            corpus += [(row["text"], row["label"]) for row in csv.DictReader(content)]
    with path.open("w", newline="", encoding="utf-8") as content:
        writer = csv.writer(content)
        writer.writerow(("text", "label"))
        for number in range(rows):
            text, label = corpus[number % len(corpus)]
            kind = chance.random()
            if kind < 0.005:
                text = ""
            elif kind < 0.15:  # said before, or by somebody who judges otherwise
                label = label if kind > 0.01 else "negative"
            else:
                ending = chance.choice(_ENDINGS if kind < 0.9 else _ODD)
                more = corpus[chance.randrange(len(corpus))][0][:40].strip()
                text = f"{chance.choice(_OPENINGS)}{text}{ending} {chance.randrange(rows)} {more}"
            writer.writerow((text, label))


def run_engine(engine: str, source: Path, target: Path) -> None:
    """Run the stages as `dvc repro` does, in one process."""
    from training.params import Data
    from training.prepare import prepare

    data = Data.model_validate(
        {"path": str(source), "engine": engine, "validation_share": 0.1, "test_share": 0.1}
    )
    prepare(data, target)


def run_pandas(source: Path, target: Path) -> None:
    """Do the same as a script of pandas does: whole columns in memory, each stage written as Parquet."""
    import pandas as pd

    from bento.text import normalise, row_key
    from training.splitting import bound

    for folder in ("bronze", "silver/cleaned", "silver/validated", "silver/flagged", "silver/parts"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    rows = pd.read_csv(source, dtype=str, keep_default_na=False, na_values=[""])
    rows["label"] = rows["label"].str.strip().str.lower().replace({"neg": "negative", "pos": "positive"})
    rows.to_parquet(target / "bronze" / "rows.parquet")

    rows = rows.dropna(subset=["text", "label"])
    rows["text"] = [normalise(text) for text in rows["text"]]
    rows["key"] = [row_key(text) for text in rows["text"]]
    rows = rows[rows["text"] != ""].drop_duplicates(["text", "label"])
    rows = rows[rows.groupby("text")["label"].transform("nunique") == 1]
    rows.to_parquet(target / "silver" / "cleaned" / "rows.parquet")

    chars = rows["text"].str.len()
    rows = rows[rows["label"].isin(["negative", "neutral", "positive"]) & (chars <= 100_000)]
    rows.to_parquet(target / "silver" / "validated" / "rows.parquet")

    letter, run = re.compile(r"[^\W\d_]"), re.compile(r"(\S)\1{8,}")
    rows["too_short"] = rows["text"].str.len() < 3
    rows["too_long"] = rows["text"].str.len() > 5000
    rows["repeated_characters"] = [run.search(text) is not None for text in rows["text"]]
    rows["mostly_non_letters"] = [len(letter.findall(text)) < 0.5 * len(text) for text in rows["text"]]
    rows.to_parquet(target / "silver" / "flagged" / "rows.parquet")

    rows = rows.sort_values(["key", "text", "label"])
    test, validation = rows["key"] < bound(0.1), rows["key"] < bound(0.2)
    for name, chosen in zip(PARTS, (~validation, validation & ~test, test), strict=True):
        rows.loc[chosen, ["text", "label", "key"]].to_parquet(
            target / "silver" / "parts" / f"{name}.parquet", index=False
        )


def compare(one: Path, other: Path) -> None:
    """Fail unless both hold the same parts, in the same order."""
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    for name in PARTS:
        tables = [
            pq.read_table(folder / "silver" / "parts" / f"{name}.parquet", columns=["text", "label", "key"])
            for folder in (one, other)
        ]
        columns = [[table[column].to_pylist() for column in table.column_names] for table in tables]
        if columns[0] != columns[1]:
            sys.exit(f"{name}: {one} and {other} differ")
        print(f"{name}: {tables[0].num_rows:,} rows, equal")


def _measured(work: Callable[[], None], what: str, source: Path) -> None:
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps({"run": what, "file": source.name, "seconds": round(seconds, 1), "peak_mb": round(peak)})
    )


def _main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("rows", type=int)
    making.add_argument("file", type=Path)
    running = commands.add_parser("run")
    running.add_argument("engine", choices=("duckdb", "spark", "pandas"))
    running.add_argument("file", type=Path)
    running.add_argument("folder", type=Path)
    comparing = commands.add_parser("compare")
    comparing.add_argument("one", type=Path)
    comparing.add_argument("other", type=Path)
    given = parser.parse_args()
    if given.command == "make":
        make(given.rows, given.file)
    elif given.command == "compare":
        compare(given.one, given.other)
    elif given.engine == "pandas":
        _measured(lambda: run_pandas(given.file, given.folder), "pandas", given.file)
    else:
        _measured(lambda: run_engine(given.engine, given.file, given.folder), given.engine, given.file)


if __name__ == "__main__":
    _main()
