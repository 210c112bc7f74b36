"""What a run is doing and how much time is left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Say = Callable[[str, float], None]


@contextmanager
def progress(seconds: float) -> Iterator[Say]:
    """Show how far a run is: a bar on a terminal, and one line for each step.

    Args:
        seconds: How long all steps should take.

    Yields:
        A function to call after each step, with what came of it and how long it should have taken.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    started = time.monotonic()
    with Progress(*columns) as bars:
        task = bars.add_task("measuring", total=seconds, left=f"about {seconds / 60:.0f} min left")

        def say(what: str, planned_s: float) -> None:
            bars.advance(task, planned_s)
            done = bars.tasks[task].completed
            left_s = max(0.0, seconds - done) * (time.monotonic() - started) / max(done, 1e-9)
            bars.update(task, left=f"about {left_s / 60:.0f} min left")
            bars.console.print(f"  {what}", highlight=False, soft_wrap=True)

        yield say
