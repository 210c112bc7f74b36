"""The directory through which the workers of one server agree on a model.

It holds a socket for each worker, the lock of whoever changes something, and the pointer: the file that
names the model that all of them serve. Replacing the pointer is the one moment at which a change of model
becomes true. It lives as long as the server; nobody but its user may enter.
"""

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bento.settings import PREFIX

VARIABLE = f"{PREFIX}RUN_DIR"  # from `bentoml serve` to its workers; not for users

_LONGEST_SOCKET = 100  # bytes of an address that every system takes
_LOCK, _POINTER = "lock", "model.json"


class RunDirectoryError(Exception):
    """The directory cannot be made; the message says what to do."""


class BusyError(Exception):
    """Somebody else is changing something."""


class ModelRef(BaseModel):
    """A model package to serve.

    Attributes:
        path: The package.
        digest: What it must have; None: whatever it has.
        version: What the registry calls it, if known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    digest: str | None
    version: str | None


class RunDirectory:
    """See the module."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def choice(self) -> ModelRef | None:
        """Return what was committed last, or None where nothing was since the server started."""
        try:
            return ModelRef.model_validate_json((self.path / _POINTER).read_bytes())
        except FileNotFoundError:
            return None

    def commit(self, choice: ModelRef) -> None:
        """Make a choice true. It has happened, whole, or it has not, whatever dies meanwhile.

        Raises:
            OSError: It could not be written, and has not happened.
        """
        new = self.path / f"{_POINTER}.new"
        with new.open("wb") as file:
            file.write(choice.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        new.rename(self.path / _POINTER)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from changing anything. The lock goes with the process that holds it.

        Raises:
            BusyError: Somebody else is at it.
        """
        with (self.path / _LOCK).open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError from None
            yield

    def new_socket(self) -> Path:
        """Return where a worker may listen. Every life of a worker gets another."""
        return self.path / f"{secrets.token_hex(4)}.sock"

    def sockets(self) -> list[Path]:
        """Return where workers listen, or listened before they died."""
        return sorted(self.path.glob("*.sock"))


def make_run_directory() -> Path:
    """Make the directory, for its user alone.

    Raises:
        RunDirectoryError: The system's directory for temporary files does not serve.
    """
    try:
        path = Path(tempfile.mkdtemp(prefix="valence-"))
    except OSError as error:
        raise RunDirectoryError(f"no directory for temporary files ({error}); set TMPDIR to one") from error
    if len(os.fsencode(RunDirectory(path).new_socket())) > _LONGEST_SOCKET:
        path.rmdir()
        raise RunDirectoryError(f"{path.parent}: too long a path for sockets; set TMPDIR to a shorter one")
    return path
