"""helm and kubectl, as the project pins them."""

import platform
import re
import subprocess
from pathlib import Path

import pytest

from scripts import tools

PINS = (Path(__file__).resolve().parents[2] / "requirements" / "tools.txt").read_text()


@pytest.fixture
def _here() -> None:
    try:
        tools.kubectl()
    except tools.ToolError as error:
        pytest.skip(f"helm is missing: {error}")


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("major", ["3", "4"])
def test_helm_is_of_the_major_version_that_was_asked_for(major: str) -> None:
    told = subprocess.run(
        [tools.helm(major), "version", "--short"], check=True, capture_output=True, text=True
    )
    assert told.stdout.startswith(f"v{major}.")


@pytest.mark.usefixtures("_here")
def test_what_is_there_is_not_fetched_again() -> None:
    before = tools.kubectl().stat().st_mtime_ns
    assert tools.kubectl().stat().st_mtime_ns == before


def test_every_wheel_is_pinned_by_hash() -> None:
    lines = [line for line in PINS.splitlines() if not line.startswith("#")]
    assert len(lines) == 2
    assert all(re.search(r"==[\d.]+ --hash=sha256:[0-9a-f]{64}$", line) for line in lines)


def test_another_machine_is_told_where_to_put_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools, "_FOLDER", tmp_path)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(tools.ToolError, match=r"Linux on x86-64 only: put them into .*helm-3"):
        tools.helm("3")
