"""How a command ends: exit codes that mean something, and one line that says what is wrong."""

import pytest

from bento.command import run_command
from bento.package import PackageError
from bento.registry import RegistryError
from bento.settings import Settings


def test_what_it_tells_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("bento.x", lambda settings: f"lanes: {settings.lanes}") == 0
    assert capsys.readouterr() == ("lanes: 0\n", "")


@pytest.mark.parametrize("error", [RegistryError("gone"), PackageError("damaged"), OSError("full")])
def test_a_model_that_cannot_be_had_is_1(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Settings) -> str:
        raise error

    assert run_command("bento.x", fail) == 1
    assert capsys.readouterr() == ("", f"bento.x: {error}\n")


def test_a_wrong_setting_is_2_before_any_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VALENCE_LANES", "many")
    assert run_command("bento.x", lambda _: pytest.fail("it was begun")) == 2
    told, error = capsys.readouterr()
    assert told == ""
    assert error.startswith("bento.x: VALENCE_LANES: ")
