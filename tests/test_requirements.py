"""The locks fit each other: what two of them name can be installed side by side."""

from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
LOCKS = ("serve", "train", "cluster", "dev", "spark")


def pins(name: str, python: str) -> dict[str, str]:
    """Return the version of each package that a lock installs on a Python."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pinned = [Requirement(line.removesuffix("\\")) for line in lines if line and line[0] not in " #"]
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    return {one.name: str(one.specifier) for one in pinned if not one.marker or one.marker.evaluate(here)}


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_no_package_is_pinned_at_two_versions(python: str) -> None:
    found = defaultdict[str, dict[str, list[str]]](lambda: defaultdict(list))
    for name in LOCKS:
        for package, version in pins(name, python).items():
            found[package][version].append(name)
    assert len(found) > 100
    assert {package: dict(versions) for package, versions in found.items() if len(versions) > 1} == {}


def test_every_lock_holds_what_the_server_needs() -> None:
    served = pins("serve", "3.11").items()
    assert served
    assert [name for name in LOCKS if not served <= pins(name, "3.11").items()] == []
