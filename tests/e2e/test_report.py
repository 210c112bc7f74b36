"""Reports name each failed request by time, status and pod, and say the same in every form."""

import csv
import time
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.e2e.balancer import Address
from tests.e2e.load import Answer, Window
from tests.e2e.report import Outcome, failures, told, write

POD = Address("10.0.0.7", 3000, "valence-7")


def window(lost: int, answered: int = 40) -> Window:
    now = time.monotonic()
    good = [Answer(now, 0, now + 0.02, 200, "", POD, "7", "sha256:7") for _ in range(answered)]
    bad = [Answer(now, 0, now, 0, "closed without an answer", POD) for _ in range(lost)]
    return Window(now, now + 1, [*good, *bad])


OUTCOMES = [
    Outcome("scale", "From three to one", 12.3, window(0)),
    Outcome("pod-deletion", "The deletion of a pod", 4.5, window(2), wrong="2 requests failed:\nclosed"),
    Outcome("node-drain", "The drain of a node", 0.1, window(0), skipped="there is one node"),
]


def test_a_failed_request_is_told_by_time_status_and_pod() -> None:
    (line,) = failures(window(1))
    clock, _, rest = line.partition("  ")
    assert abs(int(clock[6:8]) - time.gmtime().tm_sec) % 60 in (0, 1, 59)
    assert rest == "no answer  valence-7 (10.0.0.7:3000): closed without an answer"


def test_of_many_some_are_shown() -> None:
    lines = failures(window(500))
    assert len(lines) == 21
    assert lines[-1] == "… and 480 more, see failures.csv"


def test_a_window_is_told_with_who_answered() -> None:
    text = told(window(1))
    assert "41 requests at 41.0/s, 1 failed" in text
    assert "40 by version 7" in text


def test_all_is_in_the_table(tmp_path: Path) -> None:
    table = write(OUTCOMES, {"helm": "v4.1.4"}, tmp_path).read_text()
    assert "- helm: v4.1.4" in table
    assert "| From three to one | passed | 40 | 0 | 20 | 12 |" in table
    assert "| The deletion of a pod | FAILED | 42 | 2 |" in table
    assert "there is one node" in table


def test_junit_counts_as_the_table_does(tmp_path: Path) -> None:
    write(OUTCOMES, {"helm": "v4.1.4"}, tmp_path)
    suite = ET.parse(tmp_path / "report.xml").getroot()[0]  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    failed = suite.find("testcase[@name='pod-deletion']/failure")
    assert failed is not None
    assert failed.get("message") == "2 requests failed:"


def test_every_failed_request_is_in_the_file(tmp_path: Path) -> None:
    write([Outcome("scale", "From three to one", 1, window(500))], {}, tmp_path)
    with (tmp_path / "failures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 500
    assert {row["pod"] for row in rows} == {"valence-7"}
