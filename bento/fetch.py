"""Bring a registered model package to a directory, verified: what an init container does before the server.

python -m bento.fetch models:/valence-sentiment/3 /model/package --digest sha256:…
"""

import argparse
import sys
from pathlib import Path

from bento.command import run_command
from bento.package import copy_package, read_package
from bento.registry import resolve
from bento.settings import Settings


def fetch(model: str, target: Path, digest: str, *, registry: str, cache: Path) -> None:
    """Copy a package to where it is wanted, all of it or nothing.

    Args:
        model: As for `bento.registry.resolve`.
        target: Must not exist, unless as the very package that is wanted.
        digest: What the package must have.
        registry: As for `bento.registry.resolve`.
        cache: As for `bento.registry.resolve`.

    Raises:
        RegistryError: The model cannot be had.
        PackageError: It is not the one that the digest names, or something else is in its place.
        OSError: It cannot be written.
    """
    if target.exists():
        read_package(target, digest)
        return
    copy_package(read_package(resolve(model, registry, cache).path, digest), target)


def main() -> int:
    """Fetch what the command line names.

    Returns:
        0 when it is there, 1 where it cannot be had or is another, 2 where a setting is wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m bento.fetch", description=__doc__)
    parser.add_argument("model", help="models:/name/version, models:/name@alias or a directory")
    parser.add_argument("target", type=Path, help="the directory to make")
    parser.add_argument("--digest", required=True, help="the digest that the package must have")
    arguments = parser.parse_args()

    def work(settings: Settings) -> str:
        target, digest = arguments.target, arguments.digest
        fetch(arguments.model, target, digest, registry=settings.registry, cache=settings.cache_dir)
        return f"{target}: {digest}"

    return run_command("bento.fetch", work)


if __name__ == "__main__":
    sys.exit(main())
