"""The chart is rendered by real helms; where they cannot be had, its tests are skipped."""

import pytest

from scripts import tools


@pytest.fixture(scope="session", autouse=True)
def _helm() -> None:
    try:
        tools.helm("3")
        tools.helm("4")
    except tools.ToolError as error:
        pytest.skip(f"helm is missing: {error}")


@pytest.fixture(params=["3", "4"], ids=["helm3", "helm4"])
def major(request: pytest.FixtureRequest) -> str:
    """A major version of helm."""
    found: str = request.param
    return found
