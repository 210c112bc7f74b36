"""Real cells of our own server: short, so their figures mean nothing, but all of them are there."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cells import Cell, measure, rows_of
from benchmarks.contenders import CONTENDERS, OURS, Contender, Pair, command_line
from benchmarks.offline import Job, run_offline, shapes
from benchmarks.overload import measure_overload
from benchmarks.plan import QUICK
from benchmarks.server import ServerError, running

PLAN = replace(QUICK, concurrency=(1, 8), warm_s=0.2, cell_s=1.0, overload_s=1.0)


def quiet(_what: str, _planned_s: float) -> None:
    """Say nothing."""


def test_a_cell_of_our_server_is_measured(pair: Pair, words_file: Path) -> None:
    cells = measure(OURS, {}, pair, words_file, PLAN, 0, quiet)

    assert [cell.concurrency for cell in cells] == [1, 8]
    for cell in cells:
        assert cell.errors == 0
        assert cell.rps > 0
        assert 0 < cell.p50_ms <= cell.p99_ms
        assert cell.cpu_ms_per_request > 0
        assert cell.client_cpu_ms_per_request > 0
        assert 0 < cell.largest_process_mb < 2_000
        assert cell.ready_s > 0
    assert {row["server"] for row in rows_of(cells)} == {"valence"}


def test_rows_are_medians_of_rounds_sums_of_errors_and_the_most_memory() -> None:
    one = Cell(0, "valence", "onnx", 8, 5.0, 6.0, 7.0, 8.0, 0.1, 0.01, 0.02, 1, 0, 300.0, 200.0, 2.0)
    rounds = [
        replace(one, round=number, rps=rps, rss_mb=rss)
        for number, (rps, rss) in enumerate([(1.0, 300.0), (9.0, 290.0), (2.0, 310.0)])
    ]

    assert rows_of(rounds) == [
        {
            "server": "valence",
            "backend": "onnx",
            "concurrency": 8,
            "rps": 2.0,
            "p50_ms": 6.0,
            "p99_ms": 7.0,
            "cpu_ms_per_request": 8.0,
            "errors": 3,
            "rss_mb": 310.0,
            "ready_s": 2.0,
        }
    ]


def test_overload_accounts_for_every_request(pair: Pair, words_file: Path) -> None:
    once, twice = measure_overload(pair, words_file, PLAN, quiet)

    assert (once.times, twice.times) == (1, 2)
    assert twice.asked_per_s == pytest.approx(2 * twice.peak_rps)
    assert twice.batch_ms > 0
    assert twice.errors == 0
    assert 0 < twice.goodput_rps * PLAN.overload_s <= twice.asked - twice.refused + 1


def test_a_server_that_fails_is_reported_with_its_log(pair: Pair) -> None:
    broken = Contender("broken", "none", ("-c", "raise SystemExit('no such model')"))
    broken = replace(broken, command=(OURS.command[0], *broken.command), peer=False)

    with pytest.raises(ServerError, match="no such model"), running(broken, {}, pair):
        pass


def test_the_offline_grid_uses_all_processors(pair: Pair, words_file: Path) -> None:
    found = run_offline(Job(str(pair.package), str(words_file), (0,), texts=40, lone_texts=5))

    assert all(point.texts_per_s > 0 and point.texts_per_cpu_s > 0 for point in found.grid)
    assert found.lone_p50_ms["1"] > 0
    assert shapes(8) == [(8, 1), (4, 2), (1, 8)]
    assert shapes(1) == [(1, 1)]


def test_commands_are_shown_as_typed() -> None:
    for contender in CONTENDERS:
        for variant in contender.variants:
            command = command_line(contender, variant)
            assert command.startswith("python -m ")
            assert "{" not in command
