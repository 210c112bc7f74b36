"""Logs: JSON only, and nothing of what a caller sent."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def log(code: str, level: str = "info") -> list[dict[str, Any]]:
    """Run code in a process of its own, as logging is configured once, and return what it logged."""
    done = subprocess.run(
        [sys.executable, "-c", f"import logging\nfrom bento import logs\nlogs.configure({level!r})\n{code}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_unexpected_error_is_logged_by_kind_and_place_not_by_its_words() -> None:
    (line,) = log(
        "def choke():\n    raise ValueError('my own opinion')\n"
        "try:\n    choke()\nexcept ValueError as error:\n    logs.log_failure('r-1', error)"
    )
    assert (line["level"], line["error"], line["request_id"]) == ("error", "ValueError", "r-1")
    assert line["where"][-1].endswith(" choke")
    assert "opinion" not in json.dumps(line)


def test_what_libraries_log_is_json_too_but_for_their_access_logs() -> None:
    (line,) = log(
        "logging.getLogger('bentoml.x').warning('hello'); logging.getLogger('uvicorn.access').info('GET')"
    )
    assert (line["event"], line["level"], line["logger"]) == ("hello", "warning", "bentoml.x")


def test_of_what_opentelemetry_logs_one_line_a_minute_is_enough() -> None:
    complain = "logging.getLogger('opentelemetry.exporter').warning('away %d', number)"
    (line,) = log(f"for number in range(1_000):\n    {complain}")
    assert (line["event"], line["level"], line["logger"]) == ("away 0", "warning", "opentelemetry.exporter")
    assert log(complain.replace("number", "1"), "error") == []


@pytest.mark.parametrize(
    ("level", "logged"),
    [("debug", ["/livez", "/livez", "/predict"]), ("info", ["/livez", "/predict"]), ("warning", [])],
)
def test_the_level_decides_and_a_probe_that_succeeds_is_for_debugging(level: str, logged: list[str]) -> None:
    lines = log(
        "for route, code in (('/livez', 200), ('/livez', 503), ('/predict', 200)):\n"
        "    logs.log_request(route=route, code=code)",
        level,
    )
    assert [line["route"] for line in lines] == logged


def test_lines_of_one_turn_of_the_event_loop_are_written_together_and_whole() -> None:
    *lines, told = log(
        "import asyncio, sys\n"
        "write, sizes = sys.stdout.write, []\n"
        "sys.stdout.write = lambda piece: sizes.append(len(piece)) or write(piece)\n"
        "async def several():\n"
        "    for number in range(100):\n        logs.log_event('counted', number=number)\n"
        "asyncio.run(several())\n"
        "logs.log_event('alone', sizes=list(sizes))"
    )
    assert [line["number"] for line in lines] == list(range(100))
    assert 1 < len(told["sizes"]) < 10
    assert max(told["sizes"]) <= 4_096


def test_an_event_loop_that_ends_early_takes_no_line_along() -> None:
    lines = log(
        "import asyncio\n"
        "loop = asyncio.new_event_loop()\n"
        "loop.call_soon(lambda: (logs.log_event('last'), loop.stop()))\n"
        "loop.run_forever()\nloop.close()\n"
        "async def other():\n    logs.log_event('other')\n"
        "asyncio.run(other())\n"
        "logs.log_event('alone')"
    )
    assert [line["event"] for line in lines] == ["last", "other", "alone"]
