"""Commands that need what is not installed say how to install it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needing(command: str, install: str) -> Iterator[None]:
    """Import a command's modules in here: a missing package is told in one line, with exit code 2.

    Args:
        command: Its name.
        install: What installs all that it needs.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        print(f"{command}: the package {error.name} is missing; install it: {install}", file=sys.stderr)
        sys.exit(2)
