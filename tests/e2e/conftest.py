"""The tiny package and the servers that the tests of `bento` have."""

from tests.bento.conftest import make_package, package_dir, serve_alone

__all__ = ["make_package", "package_dir", "serve_alone"]
