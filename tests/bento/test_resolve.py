"""What a registry knows of a version, for tools that are no part of the server."""

import json
import sys

import pytest

from bento.resolve import main
from tests.bento.conftest import Registry


@pytest.fixture(autouse=True)
def _registry(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALENCE_REGISTRY", registry.uri)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bento.resolve", *arguments])
    return main()


def test_an_alias_is_resolved(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "models:/valence-sentiment@staging") == 0
    package = registry.packages["2"]
    assert json.loads(capsys.readouterr().out) == {
        "name": "valence-sentiment",
        "version": "2",
        "aliases": ["staging"],
        "digest": package.digest,
        "run_id": package.manifest.run_id,
    }


def test_the_package_is_fetched_on_request(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "models:/valence-sentiment/1", "--download") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"] == str(registry.stored("1"))


def test_what_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "models:/valence-sentiment/9") == 1
    assert "not in the registry" in capsys.readouterr().err


def test_a_wrong_setting_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("VALENCE_LANES", "many")
    assert run(monkeypatch, "models:/valence-sentiment/1") == 2
    assert "VALENCE_LANES" in capsys.readouterr().err
