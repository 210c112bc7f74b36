"""A command whose packages are not installed says how to install them, in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WITHOUT = """
import runpy, sys
command, *absent = sys.argv[1:]
sys.modules.update(dict.fromkeys(absent))  # None there is a package that is not to be found
sys.argv = [command, "--help"]
runpy.run_module(command, run_name="__main__", alter_sys=True)
"""
LOCK = "python -m pip install -r requirements/cluster.txt"
DEVELOPERS = "python3 scripts/bootstrap.py dev"


@pytest.mark.parametrize(
    ("command", "absent", "remedy"),
    [
        ("k8s.release", "typer", LOCK),
        ("k8s.release", "kubernetes", LOCK),
        ("k8s.job", "typer", LOCK),
        ("k8s.job", "kubernetes", LOCK),
        ("tests.e2e", "kubernetes", DEVELOPERS),
        ("grafana.picture", "grafana_foundation_sdk", DEVELOPERS),
        ("grafana.picture", "matplotlib", DEVELOPERS),
    ],
)
def test_a_missing_package_is_named_with_what_installs_it(command: str, absent: str, remedy: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, command, absent], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{command}: the package {absent}")
    assert remedy in line
