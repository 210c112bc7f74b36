"""A machine that lacks something is told what, and how to get it."""

import importlib.util
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, in a project of its own, with nothing on PATH."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "scripts" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(module, "PYTHON", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return module


def fake_python(path: Path, version: str, exit_code: int = 0) -> Path:
    path.write_text(f"#!/bin/sh\necho {version}\nexit {exit_code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def stopped_with(capsys: pytest.CaptureFixture[str], stop: pytest.ExceptionInfo[SystemExit]) -> str:
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_a_python_that_is_too_old_names_the_remedy(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", str(fake_python(tmp_path / "python3", "3 9")))
    with pytest.raises(SystemExit) as stop:
        bootstrap.find_python()
    message = stopped_with(capsys, stop)
    assert "Python 3.11 to 3.14 is needed" in message
    assert "make serve PYTHON=" in message


def test_a_newer_python_on_the_path_is_found(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(fake_python(tmp_path / "python3", "3 9")))
    newer = fake_python(tmp_path / "python3.12", "3 12")
    assert bootstrap.find_python() == str(newer)


def test_a_python_without_venv_names_the_package(
    bootstrap: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        bootstrap.make_venv(str(fake_python(tmp_path / "python3", "", exit_code=1)))
    assert "apt install python3-venv" in stopped_with(capsys, stop)
    assert not Path(bootstrap.VENV).exists()


def test_what_is_installed_is_not_installed_again(bootstrap: ModuleType) -> None:
    assert not bootstrap.up_to_date("train")
    Path(bootstrap.PYTHON).parent.mkdir(parents=True)
    Path(bootstrap.PYTHON).touch()
    Path(bootstrap.stamp("dev")).write_text(bootstrap.fingerprint("dev"))
    assert bootstrap.up_to_date("train"), "the larger set holds the smaller one"
    Path(bootstrap.PYTHON).unlink()
    assert not bootstrap.up_to_date("train"), "the interpreter is gone"


def test_a_changed_lock_is_installed(bootstrap: ModuleType) -> None:
    Path(bootstrap.PYTHON).parent.mkdir(parents=True)
    Path(bootstrap.PYTHON).touch()
    Path(bootstrap.stamp("train")).write_text("of another lock")
    assert not bootstrap.up_to_date("train")


@pytest.mark.parametrize("arguments", [[], ["everything"]])
def test_it_says_how_it_is_called(arguments: list[str]) -> None:
    script = ROOT / "scripts" / "bootstrap.py"
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert "usage:" in done.stderr
