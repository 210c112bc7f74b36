"""In a log, where no bar can move, a long step says now and then how much is left."""

from collections.abc import Iterator

import pytest

from training.progress import progress


def ticks(*times: float) -> Iterator[float]:
    yield from times


def test_a_log_hears_how_much_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ticks(0, 20, 40, 60, 100, 240, 250)
    with progress("learning", 100, clock=lambda: next(clock)) as advance:
        for _ in range(4):
            advance(10)
        advance(60)
    assert capsys.readouterr().out.splitlines() == [
        "  learning: 20 of 100, about 3 min left",
        "  learning: 40 of 100, about 2 min left",
        "  learning: 250.0 s",
    ]


def test_what_an_earlier_run_did_says_nothing_of_the_pace_of_this_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = ticks(0, 30, 60)
    with progress("learning", 100, 90, clock=lambda: next(clock)) as advance:
        advance(5)
    assert "  learning: 95 of 100, about 30 s left" in capsys.readouterr().out


def test_a_short_step_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ticks(0, 1, 2, 2)
    with progress("learning", 2, clock=lambda: next(clock)) as advance:
        advance(1)
        advance(1)
    assert capsys.readouterr().out == "  learning: 2.0 s\n"
