"""What a tree of processes uses, read from `/proc`."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_STAT = _PROC / "stat"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of `/proc/PID/stat`; `born` tells a process from a later one with the same id."""

    pid: int
    parent: int
    session: int
    cpu_s: float
    born: int


def tree(root: int) -> list[Process]:
    """Return a process, all that descend from it, and all of the sessions that these opened.

    Args:
        root: Its id, the leader of a session.
    """
    alive = {process.pid: process for process in _all()}
    found = {root} & alive.keys()
    grown = True
    while grown:
        sessions = found | {root}
        more = {
            process.pid
            for process in alive.values()
            if process.pid not in found and (process.parent in found or process.session in sessions)
        }
        found |= more
        grown = bool(more)
    return [alive[pid] for pid in sorted(found)]


def cpu_seconds(root: int) -> float:
    """Return the user and system time of the whole tree so far."""
    return sum(process.cpu_s for process in tree(root))


def machine_cpu_seconds() -> float:
    """Return how long the processors of the machine have worked so far, stolen time included."""
    user, nice, system, _idle, _waiting, *rest = map(int, _STAT.read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(rest)) / _TICKS


def memory_mb(root: int) -> tuple[float, float]:
    """Return what the tree holds, and what its largest process holds.

    Returns:
        The sum of the proportional set sizes (a page that several share counts once), and the largest
        resident set size, both in 10^6 bytes.
    """
    pids = [process.pid for process in tree(root)]
    return sum(_kilobytes(pid, "Pss") for pid in pids) * 1.024e-3, max(
        (_kilobytes(pid, "Rss") for pid in pids), default=0
    ) * 1.024e-3


def kill(processes: Iterable[Process], within_s: float = 10.0) -> None:
    """End what is left of these processes, and wait until it is gone.

    Raises:
        TimeoutError: Something is still there.
    """
    wanted = {(process.pid, process.born) for process in processes}
    deadline = time.monotonic() + within_s
    while left := [process.pid for process in _all() if (process.pid, process.born) in wanted]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {left} cannot be ended")
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _all() -> list[Process]:
    return [
        process
        for entry in os.scandir(_PROC)
        if entry.name.isdecimal() and (process := _read(int(entry.name))) is not None
    ]


def _read(pid: int) -> Process | None:
    try:
        line = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = line.rpartition(")")[2].split()
    if fields[0] in "ZX":  # dead, and only not yet waited for
        return None
    return Process(
        pid, int(fields[1]), int(fields[3]), (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[19])
    )


def _kilobytes(pid: int, name: str) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
