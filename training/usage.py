"""Commands that take no arguments: `--help` says what they do, and anything else is refused."""

import argparse


def no_arguments(command: str, does: str) -> None:
    """Go on only where the command line is empty: else end with the usage (0 for `--help`, 2 otherwise).

    Args:
        command: The module that `python -m` runs.
        does: What it does; its first paragraph is shown.
    """
    argparse.ArgumentParser(
        prog=f"python -m {command}", description=" ".join(does.split("\n\n", maxsplit=1)[0].split())
    ).parse_args()
