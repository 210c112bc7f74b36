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


@pytest.fixture(scope="session")
def proof(
    tmp_path_factory: pytest.TempPathFactory,
    make_package: "MakePackage",
    serve: "Serve",
    serve_alone: "Serve",
) -> Iterator[Proof]:
    """Every fault, made and mended."""
    if reason := missing():
        pytest.skip(reason)
    with prove(tmp_path_factory.mktemp("observe"), make_package, serve, serve_alone) as proof:
        yield proof
