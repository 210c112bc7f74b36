"""The tiny package that the tests of `bento` have."""

from tests.bento.conftest import make_package, package_dir

__all__ = ["make_package", "package_dir"]
