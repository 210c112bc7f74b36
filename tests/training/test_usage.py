"""Every command of training says what it does when asked, and does nothing that it was not asked for."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for path in (ROOT / "training").rglob("*.py")
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
)


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A command, in a folder where there is nothing that it could work on."""
    name: str = request.param
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, name if name != "training" else "training.__main__", raising=False)
    return name


def run(command: str, argument: str, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run `python -m COMMAND ARGUMENT` here, and return its exit code."""
    monkeypatch.setattr(sys, "argv", [command, argument])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(command, run_name="__main__", alter_sys=True)
    return ended.value.code


def test_help_is_usage_and_nothing_is_done(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "--help", monkeypatch) == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m {command} [-h]")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_argument_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "--no-such-thing", monkeypatch) == 2
    assert f"python -m {command}: error: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_commands_are_found() -> None:
    assert {"training", "training.compare", "training.register", "training.stages.clean"} <= set(COMMANDS)
