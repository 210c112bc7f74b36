"""All stages in one go, on good data and under bad conditions."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training.params import Data
from training.prepare import prepare
from training.records import DataReport
from training.stages import folders

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import resource, signal, sys
from pathlib import Path
from training.errors import run
from training.params import Data
from training.prepare import prepare
limit = int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
data = Data(path=sys.argv[1], validation_share=0.1, test_share=0.1)
run(lambda: prepare(data, Path(sys.argv[2])))
"""


def write(path: Path, rows: int) -> str:
    lines = (f"text number {number},{('negative', 'positive')[number % 2]}\n" for number in range(rows))
    path.write_text("text,label\n" + "".join(lines))
    return str(path)


def test_the_summary_adds_up_over_all_stages(tmp_path: Path) -> None:
    path = write(tmp_path / "reviews.csv", 400)
    with Path(path).open("a") as file:
        file.write("text number 1,positive\n,positive\nboth,positive\nboth,negative\n!!!!,positive\n")
    test = tmp_path / "test.csv"
    test.write_text("text,label\nText Number 2!,negative\nfine,positive\n")
    data = Data.model_validate(
        {
            "path": path,
            "test": str(test),
            "flag": {"exclude": ["mostly_non_letters"]},
            "validation_share": 0.1,
            "test_share": 0.1,
        }
    )
    reports, report = prepare(data, tmp_path / "data")
    assert [stage.stage for stage in reports] == ["ingest", "clean", "validate", "flag", "split"]
    assert report.data.dropped == {
        "also in the test data": 1,
        "conflicting labels": 2,
        "duplicate": 1,
        "excluded: mostly_non_letters": 1,
        "null text": 1,
    }
    assert report.data.read == report.data.kept + sum(report.data.dropped.values()) == 405
    assert report.labels == ("negative", "positive")
    assert report.parts["test"] == {"negative": 1, "positive": 1}
    assert DataReport.load(tmp_path / "data" / folders.PARTS / "report.json") == report


def run(source: str, target: Path, limit: int = 0) -> subprocess.CompletedProcess[str]:
    # Without coverage, whose own file the limit would hit as well.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, "-c", RUN, source, str(target), str(limit)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_a_disk_that_fills_leaves_no_half_and_says_so(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: writing fails in the same places."""
    target = tmp_path / "data"
    small, large = write(tmp_path / "small.csv", 400), write(tmp_path / "large.csv", 60_000)
    assert run(small, target).returncode == 0
    before = {path: path.read_bytes() for path in target.rglob("*.parquet") if path.is_file()}
    done = run(large, target, limit=20_000)
    assert done.returncode == 1, done.stderr
    assert "free some space" in done.stderr
    assert done.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in target.rglob("*.parquet") if path.is_file()} == before
    assert not [path for path in target.iterdir() if path.name.startswith(".")]
    assert run(large, target).returncode == 0


def test_an_interrupted_run_leaves_no_half(tmp_path: Path) -> None:
    """The raw file is a pipe, so that the run is interrupted while it reads and nowhere else."""
    pipe, target = tmp_path / "reviews.csv", tmp_path / "data"
    os.mkfifo(pipe)
    command = [sys.executable, "-c", RUN, str(pipe), str(target), "0"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        with pipe.open("w") as file:
            file.write("text,label\nso good,positive\n")
            file.flush()
            process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert list(target.rglob("*")) == []


@pytest.mark.parametrize("name", ["ingest", "clean", "validate", "flag", "split"])
def test_each_stage_leaves_its_report(tmp_path: Path, name: str) -> None:
    prepare(
        Data(path=write(tmp_path / "a.csv", 400), validation_share=0.1, test_share=0.1), tmp_path / "data"
    )
    report = json.loads((tmp_path / "data" / "reports" / f"{name}.json").read_text())
    assert report["read"] == {"data": 400}
