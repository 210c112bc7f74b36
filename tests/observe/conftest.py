"""The tiny packages and the servers that the tests of `bento` have."""

from tests.bento.conftest import make_package, serve, serve_alone

__all__ = ["make_package", "serve", "serve_alone"]
