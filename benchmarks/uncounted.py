"""`python -m bento.serve` with its options; SIGUSR1 stops its metrics, SIGUSR2 starts them again."""

import signal
import sys

from bento.metrics import Metrics
from bento.observed import Observed
from bento.serve import main

_COUNTING = {
    (kind, name): vars(kind)[name]
    for kind, names in ((Metrics, ("count", "count_each", "observe", "set", "flush")), (Observed, ("count",)))
    for name in names
}


def _stop(*_: object) -> None:
    for kind, name in _COUNTING:
        setattr(kind, name, _nothing)


def _start(*_: object) -> None:
    for (kind, name), method in _COUNTING.items():
        setattr(kind, name, method)


def _nothing(*_: object, **__: object) -> None:
    pass


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _stop)
    signal.signal(signal.SIGUSR2, _start)
    sys.exit(main())
