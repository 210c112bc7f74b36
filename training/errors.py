"""How the commands of this folder fail: one message on standard error and an exit code, no traceback."""

import errno
import sys
from collections.abc import Callable
from typing import NoReturn

from bento.package import PackageError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL = ". Free some space and run the same command again: nothing half is left"
_BEFORE = ". A stage before this one makes it: `dvc repro` runs all in their order"


class InputError(Exception):
    """What a person gave cannot be used; the message says what and where, and names the remedy."""


class TrainingError(Exception):
    """A step of training failed for a reason that no input explains; the message says what to do."""


def run(main: Callable[[], None]) -> NoReturn:
    """Run a command and leave the process.

    The exit code is 0 when it returns, 2 after an `InputError`, 1 after a `TrainingError`, a package that
    fulfils no contract or a full disk, 130 when the person interrupts it.
    """
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except (TrainingError, PackageError, OSError) as error:
        print(f"error: {error}{_remedy(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; what finished is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


def _remedy(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return _BEFORE
    return _FULL if isinstance(error, OSError) and error.errno in _NO_SPACE else ""
