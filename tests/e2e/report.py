"""What became of each case: lines while it goes on, a table, JUnit, and every failed request in a file."""

import csv
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.e2e.load import Answer, Window

_SHOWN = 20


@dataclass(frozen=True)
class Outcome:
    """Of one case.

    Attributes:
        wrong: Why it did not pass; empty where it did.
        skipped: Why it was not tried; empty where it was.
    """

    name: str
    what: str
    took_s: float
    window: Window | None = None
    wrong: str = ""
    skipped: str = ""

    @property
    def verdict(self) -> str:
        """In a word."""
        return "skipped" if self.skipped else "FAILED" if self.wrong else "passed"


def told(window: Window) -> str:
    """Return a window in a sentence."""
    versions = ", ".join(
        f"{count:,} by version {version}" for version, count in sorted(window.versions.items())
    )
    late_ms = max((answer.late_s for answer in window.answers), default=0.0) * 1e3
    return (
        f"{len(window.answers):,} requests at {window.rate:.1f}/s, {len(window.failures)} failed; "
        f"p50 {window.latency_ms(0.5):.0f} ms, p99 {window.latency_ms(0.99):.0f} ms; "
        f"answered {versions or 'none'}; sent {late_ms:.0f} ms late at most"
    )


def failures(window: Window) -> list[str]:
    """Return a line for each of the first failed requests: time, status, pod, what was wrong."""
    lines = [_line(answer) for answer in window.failures[:_SHOWN]]
    if (more := len(window.failures) - _SHOWN) > 0:
        lines.append(f"… and {more} more, see failures.csv")
    return lines


def write(outcomes: list[Outcome], about: dict[str, str], folder: Path) -> Path:
    """Write report.md, report.xml and failures.csv.

    Args:
        outcomes: In the order of the cases.
        about: What it was run on, by name.
        folder: Where to; it is made.

    Returns:
        The table's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "report.md"
    table.write_text(_markdown(outcomes, about), encoding="utf-8")
    _junit(outcomes, about).write(folder / "report.xml", encoding="utf-8", xml_declaration=True)
    with (folder / "failures.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["case", "time", "status", "pod", "address", "what"])
        for outcome in outcomes:
            for answer in outcome.window.failures if outcome.window else []:
                pod = answer.address.pod if answer.address else ""
                rows.writerow(
                    [outcome.name, _clock(answer.due), answer.status, pod, answer.address, answer.failure]
                )
    return table


def _markdown(outcomes: list[Outcome], about: dict[str, str]) -> str:
    lines = ["# Releases under load", "", *(f"- {name}: {value}" for name, value in about.items()), ""]
    lines += ["| case | verdict | requests | failed | p99 ms | s |", "|---|---|---:|---:|---:|---:|"]
    for each in outcomes:
        window = each.window
        counts = (
            f"{len(window.answers)} | {len(window.failures)} | {window.latency_ms(0.99):.0f}"
            if window
            else "- | - | -"
        )
        lines.append(f"| {each.what} | {each.verdict} | {counts} | {each.took_s:.0f} |")
    for each in outcomes:
        if each.wrong or each.skipped:
            lines += ["", f"## {each.what}", "", "```", each.wrong or each.skipped, "```"]
    return "\n".join([*lines, ""])


def _junit(outcomes: list[Outcome], about: dict[str, str]) -> "ET.ElementTree[ET.Element]":
    suite = ET.Element(
        "testsuite",
        name="valence.e2e",
        tests=str(len(outcomes)),
        failures=str(sum(bool(each.wrong) for each in outcomes)),
        skipped=str(sum(bool(each.skipped) for each in outcomes)),
        time=f"{sum(each.took_s for each in outcomes):.1f}",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in about.items():
        ET.SubElement(properties, "property", name=name, value=value)
    for each in outcomes:
        case = ET.SubElement(suite, "testcase", classname="e2e", name=each.name, time=f"{each.took_s:.1f}")
        if each.wrong:
            ET.SubElement(case, "failure", message=each.wrong.splitlines()[0]).text = each.wrong
        if each.skipped:
            ET.SubElement(case, "skipped", message=each.skipped)
        if each.window:
            ET.SubElement(case, "system-out").text = told(each.window)
    return ET.ElementTree(ET.Element("testsuites")) if not outcomes else _wrapped(suite)


def _wrapped(suite: ET.Element) -> "ET.ElementTree[ET.Element]":
    root = ET.Element("testsuites")
    root.append(suite)
    return ET.ElementTree(root)


def _line(answer: Answer) -> str:
    where = f"{answer.address.pod or 'unknown pod'} ({answer.address})" if answer.address else "no pod"
    return f"{_clock(answer.due)}  {answer.status or 'no answer'}  {where}: {answer.failure}"


def _clock(moment: float) -> str:
    """Return a moment of `time.monotonic` as UTC."""
    wall = time.time() - time.monotonic() + moment
    return f"{time.strftime('%H:%M:%S', time.gmtime(wall))}.{int(wall % 1 * 1000):03}"
