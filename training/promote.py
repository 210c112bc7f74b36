"""Let the alias production point to a version: `python -m training.promote [--to VERSION]`."""

import argparse

from training import registry, tracking
from training.errors import InputError, run
from training.project import python
from training.registry import Move


def explain(move: Move) -> str:
    """Say in one line what moved, and how to go back."""
    if move.before == move.after:
        return f"{move.alias}: {move.after}, nothing moved"
    line = f"{move.alias}: {move.before or 'none'} -> {move.after}"
    if move.alias == registry.PRODUCTION and move.before:
        line += f"; back with: {python()} -m training.promote --to {move.before}"
    return line


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.promote", description=__doc__)
    parser.add_argument("--to", metavar="VERSION", help="by default the one at the alias staging")
    wanted = parser.parse_args().to
    client = tracking.open_client()
    staging = registry.version_at(client, registry.STAGING)
    version = wanted or staging
    if version is None:
        raise InputError("nothing is registered yet; train first: make train")
    print(explain(registry.point(client, registry.PRODUCTION, version)))
    if staging not in (None, version):
        print(f"staging: {staging}; together with: {python()} -m training.promote --to {staging}")
    print("a running server keeps its model; `make serve` starts one with the version in production")


if __name__ == "__main__":
    run(_main)
