"""How a command ends."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, for CI."""

    DONE = 0  # kept, undone on request, or all agree
    UNDONE = 1  # the release was taken back by itself
    REFUSED = 2  # nothing was changed
    UNPROVEN = 3  # in place, but too little traffic, or no Prometheus, to judge it
    STUCK = 4  # neither forth nor back: a person is needed
    DISAGREES = 5  # `status`: what is intended, deployed and running differ
    INTERRUPTED = 130


class ReleaseError(Exception):
    """A command cannot go on; the message says where, and what to do."""

    def __init__(self, message: str, code: Exit = Exit.REFUSED) -> None:
        super().__init__(message)
        self.code = code
