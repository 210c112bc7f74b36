"""Progress of long steps: a bar with the time left on a terminal, one line per step elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(step: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far a step is.

    Args:
        step: What is being done, such as "embedding 700 texts".
        total: How many units of work it has.

    Yields:
        A function to call with the number of units just done.
    """
    console = Console()
    start = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(step, total=total)
        yield lambda done: bars.advance(task, done)
    print(f"  {step}: {time.perf_counter() - start:.1f} s", flush=True)
