"""Progress of long steps: a bar with the time left on a terminal, a line now and then in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_EVERY_S = 30.0  # a line in a log


@contextmanager
def progress(
    step: str, total: int, done: int = 0, *, clock: Callable[[], float] = time.perf_counter
) -> Iterator[Callable[[int], None]]:
    """Show how far a step is.

    Args:
        step: What is being done, such as "embedding 700 texts".
        total: How many units of work it has.
        done: How many of them an earlier run has done.
        clock: Tells seconds.

    Yields:
        A function to call with the number of units just done.
    """
    console = Console()
    start = told = clock()
    before = done

    def advance(units: int) -> None:
        nonlocal done, told
        done += units
        bars.advance(task, units)
        now = clock()
        if not console.is_terminal and now - told >= _EVERY_S and done < total:
            told = now
            left = (now - start) / (done - before) * (total - done)
            print(f"  {step}: {done} of {total}, about {_words(left)} left", flush=True)

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(step, total=total, completed=done)
        yield advance
    print(f"  {step}: {clock() - start:.1f} s", flush=True)


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
