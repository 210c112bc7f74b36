"""What a tree of processes uses, and that all of it can be ended."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.processes import cpu_seconds, kill, machine_cpu_seconds, memory_mb, tree

# A process with a child, and a grandchild in a session of its own whose parent is gone: as servers have them.
FAMILY = """
import os, subprocess, sys, time
wait = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(wait)
if os.fork() == 0:
    lone = subprocess.Popen(wait)
    print(lone.pid, flush=True)
    os._exit(0)
print(child.pid, flush=True)
x = bytearray(50_000_000)
until = time.process_time() + 0.3
while time.process_time() < until:
    pass
print("done", flush=True)
time.sleep(600)
"""


@pytest.fixture
def family() -> Iterator[tuple[int, set[int]]]:
    """The id of a process, and those of what it started."""
    process = subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    started: set[int] = set()
    for line in process.stdout:
        if line == "done\n" and len(started) == 2:
            break
        if line != "done\n":
            started.add(int(line))
    yield process.pid, started
    kill(tree(process.pid))
    process.wait()
    process.stdout.close()


def test_a_tree_holds_children_and_those_whose_parent_is_gone(family: tuple[int, set[int]]) -> None:
    root, started = family

    assert {process.pid for process in tree(root)} == {root} | started


def test_cpu_and_memory_are_of_the_whole_tree(family: tuple[int, set[int]]) -> None:
    root, _ = family

    together, largest = memory_mb(root)
    assert cpu_seconds(root) >= 0.3
    assert 50 < largest < together + 100


def test_the_machine_has_worked_at_least_as_long_as_a_process(family: tuple[int, set[int]]) -> None:
    assert machine_cpu_seconds() >= cpu_seconds(family[0])


def test_nothing_is_left_after_killing(family: tuple[int, set[int]]) -> None:
    root, _ = family

    kill(tree(root))

    assert tree(root) == []


def test_a_process_that_has_taken_over_an_id_is_spared(family: tuple[int, set[int]]) -> None:
    root, started = family
    stale = [type(process)(process.pid, 0, 0, 0.0, process.born - 1) for process in tree(root)]

    kill(stale)

    assert {process.pid for process in tree(root)} == {root} | started
    assert os.getpid() not in {process.pid for process in tree(root)}
