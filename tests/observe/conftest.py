"""The proof, which all tests here look at; it takes minutes, and is made once."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.bento.conftest import make_package, serve, serve_alone
from tests.observe.proof import Proof, prove
from tests.observe.stack import missing

if TYPE_CHECKING:
    from tests.bento.conftest import MakePackage, Serve

__all__ = ["make_package", "serve", "serve_alone"]

_TABLE = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def proof(
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    make_package: "MakePackage",
    serve: "Serve",
    serve_alone: "Serve",
) -> Iterator[Proof]:
    """Every fault, made and mended."""
    if reason := missing():
        pytest.skip(reason)
    with prove(tmp_path_factory.mktemp("observe"), make_package, serve, serve_alone) as proof:
        pytestconfig.stash[_TABLE] = proof.table()
        yield proof


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was seen, when all went well too."""
    if _TABLE in config.stash:
        terminalreporter.write(f"\n{config.stash[_TABLE]}\n")
