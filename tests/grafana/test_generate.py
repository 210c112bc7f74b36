"""What is committed is what the code makes."""

import subprocess
import sys
from pathlib import Path

import pytest

from grafana import generate

ROOT = Path(__file__).resolve().parents[2]


def test_the_dashboards_are_fresh_here_and_in_the_chart() -> None:
    assert generate.stale() == [], "run `.venv/bin/python -m grafana.generate`"


def test_the_command_agrees() -> None:
    command = [sys.executable, "-m", "grafana.generate", "--check"]
    assert subprocess.run(command, cwd=ROOT).returncode == 0


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the dashboards lie for this test."""
    monkeypatch.setattr(generate, "FOLDERS", {tmp_path: False})
    generate.write()
    return tmp_path


def test_what_was_changed_by_hand_is_stale(elsewhere: Path) -> None:
    assert generate.stale() == []
    changed = elsewhere / "valence-service.json"
    changed.write_text(changed.read_text().replace("Alerts", "alerts"))
    assert generate.stale() == [changed]


def test_what_is_missing_or_of_no_dashboard_any_more_is_stale(elsewhere: Path) -> None:
    missing, extra = elsewhere / "valence-model.json", elsewhere / "valence-queue.json"
    missing.rename(extra)
    assert set(generate.stale()) == {missing, extra}
    generate.write()
    assert generate.stale() == []
    assert not extra.exists()
