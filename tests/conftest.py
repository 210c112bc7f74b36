"""For all tests: a skip is a failure where everything should be installed, and one Hypothesis profile."""

import os
import signal
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import settings

_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)

settings.register_profile("valence", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("valence")

# A shell that runs pytest in the background has it ignore interrupts, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _forbid_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module may skip itself, as `pytest.importorskip` does."""
    return _forbid_skip((yield))


def _forbid_skip(report: _Report) -> _Report:
    if report.skipped and os.environ.get("VALENCE_NO_SKIPS") == "1":
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and VALENCE_NO_SKIPS forbids that: {report.longrepr}"
    return report
