"""Fetching a package for a server: verified, whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bento.fetch import fetch
from bento.package import PackageError, read_package

if TYPE_CHECKING:
    from tests.bento.conftest import Registry

ROOT = Path(__file__).resolve().parents[2]


def test_a_registered_version_is_brought_whole(registry: "Registry", tmp_path: Path) -> None:
    digest = registry.packages["1"].digest
    target = tmp_path / "there" / "package"
    for _ in range(2):  # the second time it is there already
        fetch("models:/valence-sentiment/1", target, digest, registry=registry.uri, cache=tmp_path / "cache")
        assert read_package(target, digest).digest == digest
    assert [path.name for path in target.parent.iterdir()] == ["package"]


def test_another_digest_leaves_nothing(registry: "Registry", tmp_path: Path) -> None:
    target = tmp_path / "there" / "package"
    with pytest.raises(PackageError):
        fetch(
            "models:/valence-sentiment/1",
            target,
            registry.packages["2"].digest,
            registry=registry.uri,
            cache=tmp_path / "cache",
        )
    assert not target.exists()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bento.fetch", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_says_what_is_wrong_in_one_line(registry: "Registry", tmp_path: Path) -> None:
    settings = {"VALENCE_REGISTRY": registry.uri, "VALENCE_CACHE_DIR": str(tmp_path / "cache")}
    digest = registry.packages["1"].digest
    target = str(tmp_path / "package")
    done = run("models:/valence-sentiment/1", target, "--digest", digest, **settings)
    assert (done.returncode, done.stdout) == (0, f"{target}: {digest}\n")
    for arguments, changed, code in (
        (("models:/valence-sentiment/77", target + "2"), {}, 1),
        (("models:/valence-sentiment/2", target), {}, 1),
        (("models:/valence-sentiment/1", target), {"VALENCE_LANES": "x"}, 2),
    ):
        wanted = registry.packages["2"].digest if arguments[0].endswith("2") else digest
        done = run(*arguments, "--digest", wanted, **(settings | changed))
        assert done.returncode == code
        (line,) = done.stderr.splitlines()
        assert line.startswith("bento.fetch: ")
