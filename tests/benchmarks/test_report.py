"""The page, the table and the chart, made without measuring."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from benchmarks import model
from benchmarks.bars import bars
from benchmarks.chart import draw
from benchmarks.contenders import CONTENDERS, OURS_WATCHED
from benchmarks.report import bars_table, render, results_table, unflattering
from bento import runner

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_has_a_line_for_each_row_by_concurrency(document: dict[str, Any]) -> None:
    lines = results_table(document["rows"]).splitlines()

    assert len(lines) == 2 + len(document["rows"])
    assert lines[2] == "| 1 | valence | onnx | 400.0 | 10.0 | 20.0 | 5.00 | 0 | 300 | 2.0 |"
    assert [int(line.split("|")[1]) for line in lines[2:]] == sorted(
        row["concurrency"] for row in document["rows"]
    )


def test_missed_bars_are_shown_as_such(document: dict[str, Any]) -> None:
    lines = bars_table(bars(document)).splitlines()

    (pipeline,) = [line for line in lines if "pipeline" in line]
    assert pipeline.endswith("| ≥ 8.00 | 4.00 | 4.00 to 4.00 | **no** |")
    assert lines[-1].endswith("| not measured |")


def test_where_a_peer_is_better_is_said(document: dict[str, Any]) -> None:
    (row,) = [row for row in document["rows"] if row["server"] == "litserve" and row["concurrency"] == 8]
    row |= {"p99_ms": 15.0, "errors": 3}

    lines = unflattering(document, bars(document))

    assert "litserve (onnx) is better in p99 ms at concurrency 8: 15 against 20." in lines
    assert "litserve (onnx) at concurrency 8: 3 errors." in lines
    assert not any("ready" in line for line in lines)
    assert any(line.startswith("Missed: requests/s ÷ FastAPI + transformers.pipeline") for line in lines)


def test_our_server_behind_another_is_no_peer_that_was_better(document: dict[str, Any]) -> None:
    for row in document["rows"]:
        if row["server"] == OURS_WATCHED.name:
            row |= dict.fromkeys(("p50_ms", "p99_ms", "cpu_ms_per_request", "rss_mb", "ready_s"), 0.1)
            row["rps"] = 1e9

    assert not any(" is better in " in line for line in unflattering(document, bars(document)))


def test_a_peer_that_failed_was_not_measured(document: dict[str, Any]) -> None:
    failed = [dict(row, rps=0.0) if row["server"] == "litserve" else row for row in document["rows"]]
    document["rounds"].append({"rows": failed, "offline": document["offline"]})

    (partly,) = [line for line in bars_table(bars(document)).splitlines() if "LitServe" in line]
    assert partly.endswith("| 4.00 | 4.00 to 4.00, 1 of 2 not measured | yes |")

    document["rows"] = failed
    document["rounds"] = document["rounds"][1:]

    (never,) = [line for line in bars_table(bars(document)).splitlines() if "LitServe" in line]
    assert never.endswith("| - | 1 of 1 not measured | not measured |")
    lines = unflattering(document, bars(document))
    assert "Not measured: requests/s ÷ LitServe, same ONNX file, concurrency 128." in lines


def test_what_is_said_of_priority_and_model_is_what_is_done(document: dict[str, Any]) -> None:
    page = render(document, "chart.svg")

    assert f"niceness {runner._NICENESS}," in page
    assert f"fine-tuned on {model.TRAIN_ROWS:,} rows" in page


def test_a_machine_that_was_busy_otherwise_is_reported(document: dict[str, Any]) -> None:
    assert not any("not idle" in line for line in unflattering(document, bars(document)))

    document["load_generator"][0]["other_cpu_share"] = 0.8

    assert any("took 80% of one processor" in line for line in unflattering(document, bars(document)))


def test_a_server_that_answered_nothing_has_no_latency(document: dict[str, Any]) -> None:
    (row,) = [row for row in document["rows"] if row["server"] == "litserve" and row["concurrency"] == 128]
    row |= {"rps": 0.0, "p50_ms": None, "p99_ms": None, "cpu_ms_per_request": None}

    assert "| 128 | litserve | onnx | 0.0 | - | - | - | 0 | 600 | 8.0 |" in render(document, "chart.svg")


def test_no_line_of_a_table_has_more_cells_than_its_head(document: dict[str, Any]) -> None:
    for table in render(document, "chart.svg").split("\n\n"):
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1


def test_the_page_names_machine_settings_and_soak(document: dict[str, Any]) -> None:
    document["soak"] = {
        "minutes": 10,
        "requests": 1_000,
        "errors": 0,
        "start_mb": 300.0,
        "end_mb": 301.0,
        "slope_mb_per_hour": 0.4,
        "slope_within": 0.9,
    }

    page = render(document, "benchmarks.svg")

    for part in ("Some CPU", "fastapi 2", "log-normal with sigma 0.6", "(tried: a; b)", "+0.40 ± 0.90 MB/h"):
        assert part in page


def test_the_command_writes_page_and_chart(document: dict[str, Any], tmp_path: Path) -> None:
    rows = tmp_path / "benchmarks.json"
    rows.write_text(json.dumps(document))

    command = [sys.executable, "-m", "benchmarks.report", str(rows)]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)

    assert "| valence | onnx |" in answer.stdout
    assert "![" in (tmp_path / "benchmarks.md").read_text()
    assert ET.parse(tmp_path / "benchmarks.svg").getroot().tag.endswith("svg")  # noqa: S314 - written by us


def test_a_chart_of_the_same_rows_is_the_same(document: dict[str, Any], tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw(document["rows"], 410.0, tmp_path / name)

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_every_contender_is_in_the_legend(document: dict[str, Any], tmp_path: Path) -> None:
    draw(document["rows"], 410.0, tmp_path / "chart.svg")

    drawn = (tmp_path / "chart.svg").read_text()
    assert [one.name for one in CONTENDERS if f"<!-- {one.name} ({one.backend}) -->" not in drawn] == []


def test_published_rows_have_the_keys_that_others_read(document: dict[str, Any]) -> None:
    published = ROOT / "docs" / "benchmarks.json"
    rows = json.loads(published.read_text())["rows"] if published.exists() else document["rows"]

    keys = ["server", "backend", "concurrency", "rps", "p50_ms", "p99_ms", "cpu_ms_per_request", "errors"]
    assert all(list(row) == [*keys, "rss_mb", "ready_s"] for row in rows)
