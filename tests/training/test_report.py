"""What a person reads at the end is there whole, on a terminal and in a log."""

import io

import pytest
from rich.console import Console

from training.families import FAMILIES
from training.records import ClassScores, Evaluation, Result
from training.report import open_console, print_comparison

LABELS = ("negative", "neutral", "positive")
SCORES = ClassScores(precision=0.5, recall=0.5, f1=0.5, rows=1000)
EVALUATION = Evaluation(
    rows=3000,
    accuracy=0.5,
    macro_precision=0.5,
    macro_recall=0.5,
    macro_f1=0.5,
    classes=dict.fromkeys(LABELS, SCORES),
    confusion=[],
)


def result(family: str) -> Result:
    return Result(
        family=family,
        run_id="run",
        digest="sha256:0",
        data="reviews",
        data_sha256="0",
        git_commit=None,
        params={},
        chosen={},
        train_rows=14049,
        train_seconds=1234.5,
        package_bytes=145_000_000,
        evaluations={"test": EVALUATION},
    )


def test_a_log_has_the_whole_name_of_every_family(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(open_console(), [result(name) for name in FAMILIES])
    said = capsys.readouterr().out
    assert [name for name in FAMILIES if name not in said] == []
    assert "…" not in said
    assert "F1 negative" in said


def test_so_has_a_narrow_terminal() -> None:
    written = io.StringIO()
    print_comparison(Console(file=written, width=80), [result(name) for name in FAMILIES])
    assert [name for name in FAMILIES if name not in written.getvalue()] == []
